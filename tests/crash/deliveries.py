"""``make webhooks-crash``: kills the delivering worker again and again during 10 000 deliveries."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearwindow.postgres.embedded.cluster import start_embedded
from tests.support.databases import migrate_as_owner
from tests.support.receivers import receiving
from tests.support.runtimes import open_runtime
from tests.webhooks.killed_process import Load, Outcome, deliver_and_kill, outcome, owe


def main(
    *,
    endpoints: Annotated[int, typer.Option(min=1)] = 100,
    events: Annotated[int, typer.Option(min=1, help="Events due to each endpoint.")] = 100,
    kills: Annotated[int, typer.Option(min=1)] = 8,
) -> None:
    """Kill the worker during its deliveries and check what the endpoints received. Exit code 1 if it is wrong."""
    load = Load(endpoints, events, kills)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-crash-") as folder,
        start_embedded(Path(folder) / "data") as embedded,
        receiving() as receiver,
    ):
        migrate_as_owner(embedded.dsn)
        with open_runtime(embedded.dsn) as runtime:
            owe(runtime, load, receiver)
            deliver_and_kill(runtime, embedded.dsn, Path(folder) / "logs", load, receiver, wait_for_leases=True)
        found = outcome(load, receiver)
    _print(load, found, time.monotonic() - started)
    if found.missing or found.out_of_order or found.received != load.deliveries:
        raise typer.Exit(1)


def _print(load: Load, found: Outcome, seconds: float) -> None:
    table = Table(caption=f"{load.endpoints} endpoints, {seconds:.0f} s; the leases of the last kill expired")
    for title in ("SIGKILLs", "deliveries due", "received", "more than once", "missing", "out of order"):
        table.add_column(title, justify="right")
    counts = (load.kills, load.deliveries, found.received, found.repeated, found.missing, found.out_of_order)
    table.add_row(*map(str, counts))
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
