"""A server of one's own: ``clearwindow serve`` as a real process, on a free port, over an empty data folder."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clearwindow.sandbox import tether

_STOP_SECONDS: Final = 60
_START_SECONDS: Final = 60
_SERVE: Final = (*tether.COMMAND, "serve", "--port", "0", "--json")
_KEPT_VARIABLE: Final = "CLEARWINDOW_POSTGRES_BIN_DIR"


class ServerNotStartedError(RuntimeError):
    """The server ended before it listened; the message ends with what it said."""


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """An empty folder for a server and all that belongs to it, removed at the end."""
    with tempfile.TemporaryDirectory(prefix=f"clearwindow-{name}-") as made:
        folder = Path(made)
        # Where root plays, the database runs as somebody else, who must get through to its own folder.
        folder.chmod(0o711)
        yield folder


@contextmanager
def serving(
    folder: Path, operator_token: str, settings: Mapping[str, str] | None = None, *, arguments: Sequence[str] = ()
) -> Iterator[str]:
    """The address of a server that ends with the block, and with this process.

    Args:
        folder: gets its log and its data.
        operator_token: of its operator ``bootstrap``.
        settings: more of the environment's, under their whole names.
        arguments: more of ``serve``'s.

    Raises:
        ServerNotStartedError: it did not start.
    """
    log = folder / "server.log"
    with log.open("w") as log_file:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [*_SERVE, "--data", str(data_folder(folder)), *arguments],
            stdin=tether.tether(),
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
            env=environment({"CLEARWINDOW_OPERATOR_TOKEN": operator_token} | dict(settings or {})),
            # Ctrl-C goes to us alone, and we end the server in order.
            start_new_session=True,
        )
    try:
        yield _announced_address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()


def data_folder(folder: Path) -> Path:
    """Where a server of this folder keeps its data."""
    return folder / "data"


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours with these settings and no others: a demo must never touch a database that somebody uses."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CLEARWINDOW_") or name == _KEPT_VARIABLE
    }
    return kept | dict(settings or {})


def _announced_address(process: subprocess.Popen[str], log: Path) -> str:
    if process.stdout is None:
        raise AssertionError("its output is a pipe")
    overdue = threading.Timer(_START_SECONDS, process.kill)
    overdue.start()
    try:
        line = process.stdout.readline()
    finally:
        overdue.cancel()
    if not line:
        process.wait()
        said = log.read_text().strip() or "nothing"
        raise ServerNotStartedError(f"the server did not start; it said: {said}")
    return str(json.loads(line)["address"])
