"""``python -m tests.simulate``: random steps on a real server, compared with a model after each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tests.simulate.run import Outcome, plan, run
from tests.simulate.shorten import shortened
from tests.support.databases import TestCluster, running_cluster

_STEPS = 5_000
_SHORTEN_MINUTES = 20
_TELL_EVERY = 500


def main(
    *,
    seed: Annotated[int | None, typer.Option(help="Repeats the run with this seed.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="How many steps to take.")] = _STEPS,
    only: Annotated[str | None, typer.Option(help="Only the steps with these numbers: 3,17,42.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    shorten: Annotated[bool, typer.Option(help="Make a run that fails short.")] = True,
) -> None:
    """Take random steps on a server of our own. Exit 1 at the first difference from the model."""
    chosen = secrets.randbelow(10**9) if seed is None else seed
    typer.echo(f"seed {chosen}, {steps} steps")
    until = None if minutes is None else time.monotonic() + 60 * minutes
    numbers = None if only is None else {int(number) for number in only.split(",")}
    with running_cluster() as cluster:
        outcome = run(cluster, chosen, plan(chosen, steps), only=numbers, until=until, noted=_note)
        _tell(outcome)
        if outcome.failure is None:
            return
        _tell_failure(outcome, steps)
        if shorten:
            typer.echo(f"\nmaking it short, for at most {_SHORTEN_MINUTES} minutes")
            _tell_failure(_shortest(cluster, outcome), steps)
    raise typer.Exit(1)


def _shortest(cluster: TestCluster, outcome: Outcome) -> Outcome:
    """Returns the shortest run found that fails, too."""
    best, until = outcome, time.monotonic() + 60 * _SHORTEN_MINUTES
    steps = plan(outcome.seed, 1 + max(number for number, _ in outcome.log))

    def fails(numbers: Sequence[int]) -> bool:
        nonlocal best
        tried = run(cluster, outcome.seed, steps, only=frozenset(numbers), until=until)
        if tried.failure is None:
            return False
        best = tried
        typer.echo(f"  {len(tried.log)} steps fail, too")
        return True

    shortened([number for number, _ in outcome.log], fails, lambda: time.monotonic() < until)
    return best


def _note(outcome: Outcome) -> None:
    if outcome.steps % _TELL_EVERY == 0:
        typer.echo(f"{outcome.steps} steps in {outcome.seconds:.0f} s, {outcome.settlements} settlements")


def _tell(outcome: Outcome) -> None:
    rate = outcome.steps / max(outcome.seconds, 0.001)
    typer.echo(
        f"{outcome.steps} steps in {outcome.seconds:.0f} s ({rate:.1f} a second), {outcome.settlements} settlements"
        f" with a window, {outcome.checks} comparisons of everything, {outcome.starts[0]} starts of the server and"
        f" {outcome.starts[1]} of the worker"
    )
    for name, count in outcome.taken.most_common():
        typer.echo(f"  {count:6} {name}")


def _tell_failure(outcome: Outcome, steps: int) -> None:
    failure = outcome.failure
    if failure is None:
        return
    typer.echo(
        f"\nDIFFERENCE at step {failure.number} ({failure.step}), after {len(outcome.log)} steps: {failure.error}"
    )
    for number, said in outcome.log[-40:]:
        typer.echo(f"  {number:6} {said[:300]}")
    numbers = ",".join(str(number) for number, _ in outcome.log)
    given = f"--only {numbers}" if len(outcome.log) <= 200 else ""
    typer.echo(
        f"again: make simulate SEED={outcome.seed} STEPS={max(steps, failure.number + 1)} SIMULATE='{given}'"
    )


if __name__ == "__main__":
    typer.run(main)
