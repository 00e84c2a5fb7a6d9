"""Options that several commands share. If an option is not given, the setting applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clearwindow.cli.failures import CommandError

if TYPE_CHECKING:
    from clearwindow.settings import Settings

DataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="DIR", help="The data folder. (default: CLEARWINDOW_DATA_DIR, else ./data)"),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="Use this PostgreSQL instead of the embedded one. If the URL has a password, set "
        "CLEARWINDOW_DATABASE_URL instead: everybody on the machine can see arguments.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def require_database(settings: Settings) -> None:
    """Refuses a data folder without a database. Only `serve` and `migrate` make one.

    Raises:
        CommandError: there is none.
    """
    from clearwindow.postgres.embedded.home import has_cluster  # noqa: PLC0415 - offline commands do not need it

    if settings.database_url is None and not has_cluster(settings.data_dir):
        raise CommandError(
            f"There is no database in the data folder {settings.data_dir}: name the folder of your server with "
            "--data, or make a database with clearwindow serve or clearwindow migrate."
        )
