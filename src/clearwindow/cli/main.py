"""The command ``clearwindow``. Each group of commands has a file of its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Final

import typer

from clearwindow.cli.connection_keys import decrypt, encrypt
from clearwindow.cli.demo import demo
from clearwindow.cli.exchange import exchange
from clearwindow.cli.failures import exit_code_of
from clearwindow.cli.keys import keys_app, sign
from clearwindow.cli.ledger import check, migrate
from clearwindow.cli.partner_check import partner_check
from clearwindow.cli.rehearsal import rehearsal
from clearwindow.cli.sandbox import sandbox_app
from clearwindow.cli.serve import serve
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
app.command("demo")(demo)
app.command("exchange")(exchange)
app.command("trader")(trader)
app.command("rehearsal")(rehearsal)
app.command("partner-check")(partner_check)
app.add_typer(token_app, name="token")
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
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """A self-hosted off-exchange settlement network."""


def run() -> None:
    """The console script's entry."""
    try:
        app()
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        typer.echo(f"clearwindow: {error}", err=True)
        raise SystemExit(code) from None
