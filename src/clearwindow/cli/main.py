"""The command ``clearwindow``."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Final

import typer

from clearwindow.cli.commands import COMMANDS
from clearwindow.cli.failures import FAILED, exit_code_of, line_of
from clearwindow.cli.lazy import LazyGroup
from clearwindow.cli.terminal import finish, prepare


class _Commands(LazyGroup):
    lazy_commands = COMMANDS


app: Final = typer.Typer(
    name="clearwindow",
    help="A self-hosted off-exchange settlement network.",
    cls=_Commands,
    no_args_is_help=True,
    # A traceback with local variables would print tokens and keys.
    pretty_exceptions_show_locals=False,
)


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
