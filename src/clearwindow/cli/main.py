"""The command ``clearwindow``."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Final

import typer

from clearwindow.cli.backups import backup, restore
from clearwindow.cli.connection_keys import decrypt, encrypt
from clearwindow.cli.demo import demo
from clearwindow.cli.exchange import exchange
from clearwindow.cli.failures import FAILED, exit_code_of, line_of
from clearwindow.cli.keys import keys_app, sign
from clearwindow.cli.ledger import check, migrate
from clearwindow.cli.lost_requests import lost_requests
from clearwindow.cli.operators import operators_app
from clearwindow.cli.partner_check import partner_check
from clearwindow.cli.rehearsal import rehearsal
from clearwindow.cli.sandbox import sandbox_app
from clearwindow.cli.secret import secret_app
from clearwindow.cli.serve import serve
from clearwindow.cli.terminal import finish, prepare
from clearwindow.cli.tokens import token_app
from clearwindow.cli.trader import trader
from clearwindow.cli.worker import worker

app: Final = typer.Typer(
    name="clearwindow",
    help="A self-hosted off-exchange settlement network.",
    no_args_is_help=True,
    # A traceback with local variables would print tokens and keys.
    pretty_exceptions_show_locals=False,
)
app.command("serve")(serve)
app.command("worker")(worker)
app.command("migrate")(migrate)
app.command("check")(check)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("lost-requests")(lost_requests)
app.command("demo")(demo)
app.command("exchange")(exchange)
app.command("trader")(trader)
app.command("rehearsal")(rehearsal)
app.command("partner-check")(partner_check)
app.add_typer(operators_app, name="operators")
app.add_typer(token_app, name="token")
app.add_typer(secret_app, name="secret")
app.add_typer(sandbox_app, name="sandbox")
keys_app.command("encrypt-connection-key")(encrypt)
keys_app.command("decrypt-connection-key")(decrypt)
app.add_typer(keys_app, name="keys")
app.command("sign")(sign)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if wanted:
        typer.echo(version("clearwindow"))
        raise typer.Exit


@app.callback()
def _clearwindow(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """A self-hosted off-exchange settlement network."""


def run() -> None:
    """Runs the command, and ends with one line on standard error if it fails as expected."""
    prepare()
    try:
        app()
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        _say(line_of(error))
        raise SystemExit(code) from None
    finally:
        unwritten = finish()
        if unwritten is not None and sys.exc_info()[0] in (None, SystemExit):
            _say(f"The output cannot be written: {unwritten}.")
            raise SystemExit(FAILED)


def _say(line: str) -> None:
    # If standard error is closed, the exit code has to say it all.
    with suppress(OSError):
        typer.echo(f"clearwindow: {line}", err=True)
