"""``clearwindow token create``: makes tokens from the shell, such as the first operator's."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from clearwindow.cli.failures import USAGE_ERROR
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.terminal import echo_json
from clearwindow.identity.models import TokenKind

_LONGEST_DAYS: Final = 36_500

token_app: Final = typer.Typer(help="Make tokens.", no_args_is_help=True, pretty_exceptions_show_locals=False)


@token_app.callback()
def _token() -> None:
    """Keep `create` a subcommand: with one command and no callback, typer would drop its name."""


@token_app.command("create")
def create(  # noqa: PLR0913 - each is an option of the command
    *,
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make it for this operator. A new name makes an operator; outside a sandbox, only the first one.",
        ),
    ] = None,
    enterprise: Annotated[
        str | None, typer.Option(metavar="ID", help="Make it for a member of this enterprise.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="The member, with --enterprise.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What a member's token may do. Repeat it for several scopes. (default: read and write)"),
    ] = None,
    kind: Annotated[
        TokenKind | None,
        typer.Option(help="bearer is sent with each call. v2x signs calls and is not sent. (default: bearer)"),
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, max=_LONGEST_DAYS, help="Days until it expires. (default: never)")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="A role that narrows its holder's, such as viewer. (default: its holder's)")
    ] = None,
    label: Annotated[str | None, typer.Option(help="A note for the audit trail: what the token is for.")] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it. It is shown only once."""
    from clearwindow.cli import token_issue  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.identity.schemas import token_answer  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    terms = token_issue.Terms(label, expires_in_days, role)
    if operator is not None and not (enterprise or user or scope or kind):
        require_database(settings)
        issued = token_issue.issue_for_operator(settings, operator, terms)
    elif operator is None and enterprise is not None and user is not None:
        require_database(settings)
        issued = token_issue.issue_for_member(
            settings, enterprise, user, scope or [], kind or TokenKind.BEARER, terms
        )
    else:
        typer.echo("clearwindow: give --operator NAME, or --enterprise ID and --user ID.", err=True)
        raise typer.Exit(USAGE_ERROR)
    if as_json:
        echo_json(token_answer(issued).model_dump_json(by_alias=True, exclude_unset=True))
    else:
        typer.echo(issued.value)
        typer.echo("The token is shown only once.", err=True)
