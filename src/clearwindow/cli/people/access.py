"""Who a command acts as: from a profile, from the environment, or from options."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.profiles import Profile, read_profiles

if TYPE_CHECKING:
    from clearwindow.client import Signer

TOKEN_VARIABLE: Final = "CLEARWINDOW_TOKEN"  # noqa: S105 - the name of a variable
KEY_VARIABLE: Final = "CLEARWINDOW_XPRV"
PROFILE_VARIABLE: Final = "CLEARWINDOW_PROFILE"
URL_VARIABLE: Final = "CLEARWINDOW_URL"
ENTERPRISE_VARIABLE: Final = "CLEARWINDOW_ENTERPRISE"
SIGN_VARIABLE: Final = "CLEARWINDOW_SIGN_COMMAND"

_COMMAND_SECONDS: Final = 120
_LARGEST_TOKEN: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options of one command say."""

    profile: str | None = None
    url: str | None = None
    enterprise: str | None = None
    token_file: Path | None = None
    key_file: Path | None = None


def profile_of(asked: Asked) -> Profile:
    """Returns who the command acts as.

    Options come first, then the profile that an option names, then CLEARWINDOW_URL and what belongs to it, then the
    profile that CLEARWINDOW_PROFILE names, then the default profile. So a token never goes to another address than
    the one that it was given with.

    Raises:
        EndError: nothing says which network.
    """
    if asked.profile is not None:
        found = read_profiles().get(asked.profile)
    elif asked.url is not None:
        found = Profile(url=asked.url, enterprise=os.environ.get(ENTERPRISE_VARIABLE))
    elif os.environ.get(URL_VARIABLE):
        found = Profile(url=os.environ[URL_VARIABLE], enterprise=os.environ.get(ENTERPRISE_VARIABLE))
    else:
        profiles = read_profiles()
        name = os.environ.get(PROFILE_VARIABLE) or profiles.default
        if name is None:
            raise usage(
                "Say which network: clearwindow profile add NAME --url URL --token-file FILE, or --url,"
                f" or {URL_VARIABLE}."
            )
        found = profiles.get(name)
    if asked.token_file is not None:
        found = replace(found, token_file=str(asked.token_file), token_command=None)
    if asked.key_file is not None:
        found = replace(found, key_file=str(asked.key_file), sign_command=None)
    return replace(found, url=asked.url or found.url, enterprise=asked.enterprise or found.enterprise)


def token_of(profile: Profile) -> str:
    """Returns the token: of the profile's file or command, or of the environment.

    Raises:
        EndError: there is none.
    """
    if profile.token_command is not None:
        token = _run(profile.token_command, "", "token command")
    elif profile.token_file is not None:
        token = _read(Path(profile.token_file), "token file")
    else:
        token = os.environ.get(TOKEN_VARIABLE, "")
    token = token.strip()
    if not token:
        raise usage(f"There is no token: name its file with --token-file, or set {TOKEN_VARIABLE}.")
    if not token.isascii() or not token.isprintable():
        raise usage("The token is not one line of ASCII characters: look at its file or command.")
    return token


def signer_of(profile: Profile) -> Signer | None:
    """Returns what signs requests: the profile's command, key file, or the environment; None if there is none.

    Raises:
        EndError: the key cannot be used.
    """
    from clearwindow.client import KeySigner, SigningError  # noqa: PLC0415 - the SDK takes a while to import

    command = profile.sign_command
    if command is None and profile.key_file is None:
        command = os.environ.get(SIGN_VARIABLE) or None
    try:
        if command is not None:
            return _signing(command)
        if profile.key_file is not None:
            return KeySigner.from_file(profile.key_file)
        return KeySigner.from_environment() if os.environ.get(KEY_VARIABLE) else None
    except SigningError as error:
        raise usage(str(error)) from None


def _signing(command: str) -> Signer:
    def sign(payload: str) -> str:
        # `clearwindow sign` writes the signature on the first line, and the payload after it.
        return _run(command, payload, "signing command").split("\n", 1)[0].strip()

    return sign


def _run(command: str, given: str, what: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the command is the person's own, and no shell reads it
            words, input=given.encode(), stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise usage(f"The {what} cannot be run: {reason}.") from None
    if done.returncode:
        raise usage(f"The {what} ended with {done.returncode}.")
    try:
        return done.stdout.decode()
    except UnicodeDecodeError:
        raise usage(f"The {what} did not write text.") from None


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_TOKEN).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        # A decoding error's own text would quote bytes of the secret.
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise usage(f"The {what} {path} cannot be read: {reason}.") from None
