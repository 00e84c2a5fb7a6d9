"""``clearwindow operators second-factor``: an operator enrols, confirms and removes its second factor on a server.

Codes and tokens are no arguments, because everybody on the machine can read arguments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.member_options import TOKEN_VARIABLE, member_token
from clearwindow.cli.options import JsonOption
from clearwindow.cli.terminal import echo_json

if TYPE_CHECKING:
    from clearwindow.client import Operator

_MOST_CHARACTERS: Final = 64

second_factor_app: Final = typer.Typer(
    help="Your second factor as an operator.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
UrlOption = Annotated[str, typer.Option("--url", help="The network's address.")]
OperatorTokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file", metavar="FILE", help=f"The file with your token. (default: the variable {TOKEN_VARIABLE})"
    ),
]


@second_factor_app.command("show")
def show(*, url: UrlOption, token_file: OperatorTokenOption = None, as_json: JsonOption = False) -> None:
    """Say whether you have a second factor, and whether approvals need one."""
    with _operator(url, token_file) as operator:
        found = operator.second_factor.get()
    if as_json:
        echo_json(
            json.dumps(
                {
                    "status": found.status,
                    "required": found.required,
                    "recoveryCodesLeft": found.recovery_codes_left,
                    "lockedUntil": None if found.locked_until is None else found.locked_until.isoformat(),
                }
            )
        )
        return
    typer.echo(f"status               {found.status}")
    typer.echo(f"approvals need one   {'yes' if found.required else 'no'}")
    typer.echo(f"recovery codes left  {found.recovery_codes_left}")
    if found.locked_until is not None:
        typer.echo(f"locked until         {found.locked_until.isoformat()}")


@second_factor_app.command("enrol")
def enrol(*, url: UrlOption, token_file: OperatorTokenOption = None, as_json: JsonOption = False) -> None:
    """Make a secret for your authenticator. It is in force once you have confirmed a code of it."""
    with _operator(url, token_file) as operator:
        made = operator.second_factor.enrol()
    if as_json:
        echo_json(json.dumps({"secret": made.secret, "otpauth": made.otpauth}))
        return
    typer.echo(f"secret   {made.secret}")
    typer.echo(f"otpauth  {made.otpauth}")
    _note("Type the secret into your authenticator. It is shown only once. Then: operators second-factor confirm.")


@second_factor_app.command("confirm")
def confirm(*, url: UrlOption, token_file: OperatorTokenOption = None, as_json: JsonOption = False) -> None:
    """Put your second factor in force with a code of it, and print your recovery codes."""
    code = _read_code("Code of your authenticator")
    with _operator(url, token_file) as operator:
        codes = operator.second_factor.confirm(code).recovery_codes
    if as_json:
        echo_json(json.dumps({"recoveryCodes": list(codes)}))
        return
    for each in codes:
        typer.echo(each)
    _note("Each recovery code works once in place of a code. They are shown only once: keep them on paper.")


@second_factor_app.command("remove")
def remove(
    *,
    url: UrlOption,
    of: Annotated[
        str | None,
        typer.Option("--operator", metavar="ID", help="Another operator, who has lost its authenticator."),
    ] = None,
    without_code: Annotated[
        bool, typer.Option("--without-code", help="You have none: yours is not confirmed, or none is needed.")
    ] = False,
    token_file: OperatorTokenOption = None,
) -> None:
    """Remove your second factor with a code of it or a recovery code, or propose to remove another operator's.

    Another operator's is removed once a third one, or as many as the network needs, approve it.
    """
    from clearwindow.client.answers.proposals import WaitsForApprovalError  # noqa: PLC0415 - as below

    code = None if without_code else _read_code("Code of your authenticator, or a recovery code")
    with _operator(url, token_file) as operator:
        try:
            if of is None:
                operator.second_factor.remove(code=code)
            else:
                operator.operators.remove_second_factor(of, code=code)
        except WaitsForApprovalError as waiting:
            typer.echo(f"Proposed: {waiting.proposal.summary} (proposal {waiting.proposal.id}).")
            return
    typer.echo("Removed.")


@contextmanager
def _operator(url: str, token_file: Path | None) -> Iterator[Operator]:
    from clearwindow.client import ClearwindowError, Operator  # noqa: PLC0415 - the SDK takes a while to import
    from clearwindow.client.answers.proposals import WaitsForApprovalError  # noqa: PLC0415

    try:
        with Operator(url, member_token(token_file)) as operator:
            yield operator
    except WaitsForApprovalError:
        raise
    except (ClearwindowError, ValueError) as error:
        raise CommandError(str(error)) from None


def _read_code(asked: str) -> str:
    """Returns the code that somebody types, or the first line of standard input."""
    if sys.stdin.isatty():
        code = str(typer.prompt(asked, hide_input=True))
    else:
        code = sys.stdin.readline(_MOST_CHARACTERS + 2)
    code = code.strip()
    if not code or len(code) > _MOST_CHARACTERS:
        raise CommandError("There is no code: type it, or send it on one line of standard input.")
    return code


def _note(message: str) -> None:
    typer.echo(message, err=True)
