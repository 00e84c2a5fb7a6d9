"""``clearwindow token create``: tokens made from the shell, the first operator's among them."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from clearwindow.access.values import TokenKind
from clearwindow.cli.failures import WRONGLY_ASKED
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption

_LONGEST_DAYS: Final = 36_500

token_app: Final = typer.Typer(help="Make tokens.", no_args_is_help=True, pretty_exceptions_show_locals=False)


@token_app.callback()
def _token() -> None:
    """Keep `create` a subcommand: with one command and no callback, typer would drop its name."""


@token_app.command("create")
def create(  # noqa: PLR0913 - each is an option of the command
    *,
    operator: Annotated[
        str | None, typer.Option(metavar="NAME", help="For this operator, who is made if need be.")
    ] = None,
    enterprise: Annotated[str | None, typer.Option(metavar="ID", help="For a member of this enterprise …")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="… namely this user.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What a member's token may do; may be repeated.  [default: read and write]"),
    ] = None,
    kind: Annotated[
        TokenKind | None,
        typer.Option(help="bearer is shown on each call; v2x is kept back and signs it.  [default: bearer]"),
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, max=_LONGEST_DAYS, help="When it ends.  [default: never]")
    ] = None,
    label: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it. It is shown this once."""
    from clearwindow.cli import issuing  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.operator.people_wire import token_answer  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    terms = issuing.Terms(label, expires_in_days)
    if operator is not None and not (enterprise or user or scope or kind):
        issued = issuing.issue_for_operator(settings, operator, terms)
    elif operator is None and enterprise is not None and user is not None:
        issued = issuing.issue_for_member(settings, enterprise, user, scope or [], kind or TokenKind.BEARER, terms)
    else:
        typer.echo("clearwindow: say --operator NAME, or --enterprise ID and --user ID.", err=True)
        raise typer.Exit(WRONGLY_ASKED)
    if as_json:
        typer.echo(token_answer(issued).model_dump_json(by_alias=True, exclude_unset=True))
    else:
        typer.echo(issued.value)
        typer.echo("It is shown this once.", err=True)
