"""What the programs that act for a member of a network take: who the member is, and what shall go wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError

if TYPE_CHECKING:
    from clearwindow.client import KeySigner

TOKEN_VARIABLE: Final = "CLEARWINDOW_TOKEN"  # noqa: S105 - where it is, not what it is
BY_ITSELF: Final = "Any other one"
FAULTS: Final = "What goes wrong"

UrlOption = Annotated[str | None, typer.Option("--url", help="The network's address.", rich_help_panel=BY_ITSELF)]
EnterpriseOption = Annotated[
    str | None, typer.Option("--enterprise", metavar="ID", help="Its own.", rich_help_panel=BY_ITSELF)
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help=f"Its token.  [{TOKEN_VARIABLE}]", rich_help_panel=BY_ITSELF),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="Its xprv.  [CLEARWINDOW_XPRV]", rich_help_panel=BY_ITSELF),
]
SlowOption = Annotated[
    float, typer.Option("--slow-seconds", min=0, help="How slow slow is.", rich_help_panel=FAULTS)
]
EventsOption = Annotated[bool, typer.Option("--json", help="Print a JSON object in a line for each event.")]


def member_token(token_file: Path | None) -> str:
    """The token in the file, or in the environment.

    Raises:
        CommandError: there is none.
    """
    try:
        token = os.environ.get(TOKEN_VARIABLE, "") if token_file is None else token_file.read_text().strip()
    except OSError as error:
        raise CommandError(f"The token file {token_file} cannot be read: {error.strerror}.") from None
    if not token:
        raise CommandError(f"No token: name a --token-file, or set {TOKEN_VARIABLE}.")
    return token


def member_signer(key_file: Path | None) -> KeySigner:
    """The key in the file, or in the environment.

    Raises:
        CommandError: there is none, or it is no xprv.
    """
    from clearwindow.client import KeySigner, SigningError  # noqa: PLC0415 - the SDK takes a while to import

    try:
        return KeySigner.from_environment() if key_file is None else KeySigner.from_file(key_file)
    except SigningError as error:
        raise CommandError(str(error)) from None


def signer_of(name: str, xprv: str) -> KeySigner:
    """The key of somebody in a network file.

    Raises:
        CommandError: it is no xprv.
    """
    from clearwindow.client import KeySigner, SigningError  # noqa: PLC0415 - as above

    try:
        return KeySigner(xprv)
    except SigningError as error:
        raise CommandError(f"The key of {name} in the network file cannot be used: {error}") from None
