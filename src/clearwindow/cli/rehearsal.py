"""``clearwindow rehearsal``: exchanges and traders on a sandbox, with injected faults."""

from __future__ import annotations

from typing import Annotated

import typer

from clearwindow.cli.failures import FAILED
from clearwindow.cli.signals import interrupt, on_stop


def rehearsal(
    *,
    exchanges: Annotated[int, typer.Option(min=1, max=20, help="How many exchanges.")] = 2,
    traders: Annotated[
        int, typer.Option(min=1, max=100, help="How many traders; each connects to every exchange.")
    ] = 3,
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many rounds each exchange settles while faults are injected.")
    ] = 6,
    every_seconds: Annotated[
        float, typer.Option(min=0.5, help="Seconds between rounds, in real time, not on the sandbox's clock.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trades, amounts and faults.")] = 1,
    fault_percent: Annotated[
        int, typer.Option(min=0, max=60, help="Percentage of calls, deliveries and amounts that go wrong.")
    ] = 20,
    kills: Annotated[bool, typer.Option(help="Kill the worker and one exchange halfway.")] = True,
) -> None:
    """Run a sandbox, a worker, exchanges and traders as real processes, inject faults, and check the result.

    The rehearsal uses a temporary folder, which it removes at the end. It ignores your settings.
    """
    from clearwindow.simulator.rehearsal.run import run_rehearsal  # noqa: PLC0415 - only this command needs it
    from clearwindow.simulator.rehearsal.sandbox import Terms  # noqa: PLC0415

    on_stop(interrupt)
    terms = Terms(
        exchanges=exchanges,
        traders=traders,
        rounds=rounds,
        every_seconds=every_seconds,
        seed=seed,
        fault_percent=fault_percent,
        kills=kills,
    )
    if not run_rehearsal(terms):
        raise typer.Exit(FAILED)
