"""``clearwindow rehearsal``: exchanges and traders against a sandbox, with faults on."""

from __future__ import annotations

from typing import Annotated

import typer

from clearwindow.cli.failures import FAILED
from clearwindow.cli.signals import interrupt, on_stop


def rehearsal(
    *,
    exchanges: Annotated[int, typer.Option(min=1, max=20, help="How many exchanges.")] = 2,
    traders: Annotated[int, typer.Option(min=1, max=100, help="How many traders, each at every exchange.")] = 3,
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many rounds each exchange settles with faults on.")
    ] = 6,
    every_seconds: Annotated[
        float, typer.Option(min=0.5, help="From one round to the next, in the world's time.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Of the trades, the amounts and the faults.")] = 1,
    fault_percent: Annotated[int, typer.Option(min=0, max=60, help="How much goes wrong, of a hundred.")] = 20,
    kills: Annotated[bool, typer.Option(help="Kill the worker and an exchange on the way.")] = True,
) -> None:
    """Rehearse: a sandbox, a worker, exchanges and traders as real processes, with faults on, to a clean end.

    Everything is in a temporary folder, which is removed at the end; no setting of yours is used.
    """
    from clearwindow.sandbox.rehearsal.play import rehearse  # noqa: PLC0415 - only this command shows anything
    from clearwindow.sandbox.rehearsal.stage import Terms  # noqa: PLC0415

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
    if not rehearse(terms):
        raise typer.Exit(FAILED)
