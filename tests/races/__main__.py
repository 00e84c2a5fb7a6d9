"""``python -m tests.races``: random rounds of every race, and a table of how they ended."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from random import Random
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from clearwindow import bootstrap
from clearwindow.web.app import create_app
from tests.races.run import Outcome, Race, chosen_races, one_sided, run
from tests.support.asgi import listening
from tests.support.databases import running_cluster

_ROUNDS = 10_000
_WIDTH = 120


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds to run.")] = _ROUNDS,
    seed: Annotated[int | None, typer.Option(help="Repeats the order and the delays of a run.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="The name of a race, or how it begins.")] = None,
) -> None:
    """Run random rounds of races. Exit 1 if one ends as none may, or if somebody waits in a circle."""
    races = chosen_races(only)
    if not races:
        raise typer.BadParameter("no race has such a name", param_hint="--only")
    chosen = secrets.randbelow(10**9) if seed is None else seed
    typer.echo(f"seed {chosen}, {rounds} rounds of {len(races)} races")
    until = None if minutes is None else time.monotonic() + 60 * minutes
    plan = Random(chosen).choices(races, k=rounds)  # noqa: S311 - a run that is repeated
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # set for each network
    with running_cluster() as cluster, listening(app) as url:
        outcome = run(cluster, app, url, chosen, plan, hooks=(), until=until, noted=_note)
    _tell(outcome, races)
    if not outcome.held or one_sided(outcome, races):
        raise typer.Exit(1)


def _note(outcome: Outcome) -> None:
    typer.echo(f"{outcome.rounds} rounds in {outcome.seconds:.0f} s, {outcome.waits.lock_waits} waits for a lock")


def _tell(outcome: Outcome, races: Sequence[Race]) -> None:
    table = Table("race", "outcome", "rounds")
    table.columns[2].justify = "right"
    for race in races:
        seen = [(each, outcome.counts[race.name, each]) for each in (*race.outcomes, "FAILED")]
        for number, (ended, count) in enumerate(each for each in seen if each[0] != "FAILED" or each[1]):
            table.add_row(race.name if number == 0 else "", ended, str(count))
    Console(width=_WIDTH).print(table)
    rate = outcome.rounds / max(outcome.seconds, 0.001)
    typer.echo(
        f"{outcome.rounds} rounds in {outcome.seconds:.0f} s ({rate:.1f} a second), {outcome.checks} checks of the"
        f" whole books and of all signatures, {outcome.waits.lock_waits} waits for a lock of more than 10 ms,"
        f" {outcome.waits.deadlocks} deadlocks, {len(outcome.failures)} failures"
    )
    for failure in outcome.failures:
        typer.echo(f"FAILED {failure}")
    for race in one_sided(outcome, races):
        typer.echo(f"NO RACE {race.name}: it always ended in the same way")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    typer.run(main)
