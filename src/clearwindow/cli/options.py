"""Options that several commands share. What is not given comes from the settings."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder.  [CLEARWINDOW_DATA_DIR, else ./data]"),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="A PostgreSQL of your own. A password is better set in CLEARWINDOW_DATABASE_URL: arguments show "
        "in the process list.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
