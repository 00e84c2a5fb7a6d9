"""``make webhooks-crash``: the process that delivers is killed again and again amid 10 000 deliveries."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearwindow.database.embedded import start_embedded
from clearwindow.database.migrations import migrate
from tests.support.receivers import receiving
from tests.webhooks.killing import Load, Outcome, deliver_and_kill, living, outcome, owe


def main(
    *,
    endpoints: Annotated[int, typer.Option(min=1)] = 100,
    events: Annotated[int, typer.Option(min=1, help="Owed to each endpoint.")] = 100,
    kills: Annotated[int, typer.Option(min=1)] = 8,
) -> None:
    """Kill the worker amid its deliveries, and see what the endpoints received; exit code 1 where that is wrong."""
    load = Load(endpoints, events, kills)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-crash-") as folder,
        start_embedded(Path(folder) / "data") as embedded,
        receiving() as receiver,
    ):
        migrate(embedded.dsn)
        with living(embedded.dsn) as runtime:
            owe(runtime, load, receiver)
            deliver_and_kill(runtime, embedded.dsn, Path(folder) / "logs", load, receiver, wait_for_leases=True)
        found = outcome(load, receiver)
    _print(load, found, time.monotonic() - started)
    if found.missing or found.out_of_order or found.received != load.deliveries:
        raise typer.Exit(1)


def _print(load: Load, found: Outcome, seconds: float) -> None:
    table = Table(
        caption=f"{load.endpoints} endpoints, {seconds:.0f} s; the leases of the last kill ran out by themselves"
    )
    for title in ("SIGKILLs", "deliveries owed", "received", "more than once", "missing", "out of order"):
        table.add_column(title, justify="right")
    counts = (load.kills, load.deliveries, found.received, found.twice, found.missing, found.out_of_order)
    table.add_row(*map(str, counts))
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
