"""Where the text of a secret key comes from: a setting, a file or a command. No message ever quotes it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from clearwindow.settings import Settings, SettingsError

COMMAND_SECONDS: Final = 10
"""How long a command may take to print a key."""


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as it was written, and where."""

    text: str
    source: str

    def __repr__(self) -> str:
        return f"KeyText(source={self.source!r})"


def key_text(settings: Settings, setting: str, variable: str) -> KeyText | None:
    """Returns the key that the settings give directly, by file or by command. None if they give none.

    Raises:
        SettingsError: they give it twice, or the file or the command does not give it.
    """
    plain: SecretStr | None = getattr(settings, setting)
    path: Path | None = getattr(settings, f"{setting}_file")
    command: SecretStr | None = getattr(settings, f"{setting}_command")
    named = {variable: plain, f"{variable}_FILE": path, f"{variable}_COMMAND": command}
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} are set: set only one of them.")
    if plain is not None:
        return KeyText(plain.get_secret_value(), variable)
    if path is not None:
        return KeyText(_of_file(path, given[0]), f"{given[0]}: {path}")
    if command is not None:
        return KeyText(_of_command(command.get_secret_value(), given[0]), f"The output of {given[0]}")
    return None


def _of_file(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read: {error.strerror}.") from None


def _of_command(command: str, name: str) -> str:
    try:
        arguments = shlex.split(command)
    except ValueError:
        raise SettingsError(f"{name}: has a quote without an end.") from None
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # With what it starts, it is a group of its own, and can be ended with that.
            start_new_session=True,
        )
    except OSError as error:
        raise SettingsError(f"{name}: the command cannot be started: {error.strerror}.") from None
    try:
        printed, _ = process.communicate(timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise SettingsError(f"{name}: the command did not end within {COMMAND_SECONDS} seconds.") from None
    if process.returncode != 0:
        raise SettingsError(f"{name}: the command ended with {process.returncode}, and its output is not used.")
    return printed.decode("ascii", errors="replace")
