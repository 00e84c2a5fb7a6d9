"""Options of the programs that act for a member of a network: who the member is, and which faults to make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError

if TYPE_CHECKING:
    from clearwindow.client import KeySigner

TOKEN_VARIABLE: Final = "CLEARWINDOW_TOKEN"  # noqa: S105 - where it is, not what it is
BY_ITSELF: Final = "Without a network file"
FAULTS: Final = "Faults on purpose"

UrlOption = Annotated[str | None, typer.Option("--url", help="The network's address.", rich_help_panel=BY_ITSELF)]
EnterpriseOption = Annotated[
    str | None,
    typer.Option("--enterprise", metavar="ID", help="The member's enterprise.", rich_help_panel=BY_ITSELF),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"The file with its token. (default: the variable {TOKEN_VARIABLE})",
        rich_help_panel=BY_ITSELF,
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="The file with its xprv. (default: the variable CLEARWINDOW_XPRV)",
        rich_help_panel=BY_ITSELF,
    ),
]
SlowOption = Annotated[
    float, typer.Option("--slow-seconds", min=0, help="How long a slow answer takes.", rich_help_panel=FAULTS)
]
EventsOption = Annotated[bool, typer.Option("--json", help="Print each event as a JSON object on one line.")]


def member_token(token_file: Path | None) -> str:
    """Returns the token from the file, or from the environment.

    Raises:
        CommandError: there is none.
    """
    try:
        token = (
            os.environ.get(TOKEN_VARIABLE, "")
            if token_file is None
            else token_file.read_text(encoding="ascii").strip()
        )
    except (OSError, UnicodeDecodeError) as error:
        # A decoding error's own text would quote bytes of the token.
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(f"The token file {token_file} cannot be read: {reason}.") from None
    if not token:
        raise CommandError(f"There is no token: name its file with --token-file, or set {TOKEN_VARIABLE}.")
    return token


def member_signer(key_file: Path | None) -> KeySigner:
    """Returns the key from the file, or from the environment.

    Raises:
        CommandError: there is none, or it is no xprv.
    """
    from clearwindow.client import KeySigner, SigningError  # noqa: PLC0415 - the SDK takes a while to import

    try:
        return KeySigner.from_environment() if key_file is None else KeySigner.from_file(key_file)
    except SigningError as error:
        raise CommandError(str(error)) from None


def signer_of(name: str, xprv: str) -> KeySigner:
    """Returns the key of a member of a network file.

    Raises:
        CommandError: it is no xprv.
    """
    from clearwindow.client import KeySigner, SigningError  # noqa: PLC0415 - as above

    try:
        return KeySigner(xprv)
    except SigningError as error:
        raise CommandError(f"The key of {name} in the network file cannot be used: {error}") from None
