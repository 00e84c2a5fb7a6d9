"""``python -m bench``: measures each part of one large settlement, and psql with the same rows."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from bench.report import as_json, print_report
from bench.rounds import measure
from clearwindow.runtime import Limits

MAX_CONNECTIONS = Limits().connections_per_settlement
MAX_CURRENCIES = 10


def main(
    *,
    connections: Annotated[int, typer.Option(min=2, max=MAX_CONNECTIONS)] = 10_000,
    currencies: Annotated[int, typer.Option(min=1, max=MAX_CURRENCIES)] = 10,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    as_json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure each part of a settlement, and psql with the same rows."""
    notes = Console(stderr=True)
    measurement = measure(connections, currencies, rounds, notes.print)
    if as_json_:
        typer.echo(json.dumps(as_json(measurement)))
    else:
        print_report(measurement, Console())


if __name__ == "__main__":
    typer.run(main)
