"""``clearwindow operators``: opens a network in earnest, and handles an operator's second factor."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.second_factor import second_factor_app
from clearwindow.cli.terminal import echo_json

operators_app: Final = typer.Typer(
    help="Open a network in earnest, and handle your second factor.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


operators_app.add_typer(second_factor_app, name="second-factor")


@operators_app.command("init")
def init(
    *,
    name: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="An administrator. Repeat it for each; two or more are needed."),
    ],
    single_operator: Annotated[
        bool,
        typer.Option(
            "--single-operator",
            help="One person runs this network alone, so that nobody checks what they do. It is recorded for ever.",
        ),
    ] = False,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the first administrators, print a token of each, and shut the door behind them.

    From then on only administrators make operators and tokens: CLEARWINDOW_OPERATOR_TOKEN opens nothing any more,
    and `token create` is refused. The network can never become a sandbox. Each token is shown only once.
    """
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.cli.token_issue import require_length  # noqa: PLC0415
    from clearwindow.identity.opening import open_network, require_names  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    for each_name in name:
        require_length("--name", each_name)
    require_names(name, single_operator=single_operator)
    require_database(settings)
    if settings.sandbox:
        raise CommandError("CLEARWINDOW_SANDBOX is set, and a sandbox is never opened in earnest: unset it.")
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        issued = open_network(runtime, name, single_operator=single_operator)
    made = [
        {"id": str(each.token.operator_id), "name": each.token.operator_name, "token": each.value}
        for each in issued
    ]
    if as_json:
        echo_json(json.dumps({"operators": made, "singleOperator": single_operator}))
        return
    for operator in made:
        typer.echo(f"{operator['name']}\t{operator['token']}")
    typer.echo("Each token is shown only once: give it to its owner, and to nobody else.", err=True)
