"""``clearwindow sandbox``: rehearsals, on a network where nothing is at stake."""

from __future__ import annotations

from typing import Final

import typer

from clearwindow.cli.sandbox_seed import seed

sandbox_app: Final = typer.Typer(
    help="Rehearse: networks of a given size.", no_args_is_help=True, pretty_exceptions_show_locals=False
)


@sandbox_app.callback()
def _sandbox() -> None:
    """Keep each command a subcommand: with one command and no callback, typer would drop its name."""


sandbox_app.command("seed")(seed)
