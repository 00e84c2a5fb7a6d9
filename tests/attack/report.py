"""Writes what was tried as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.attack.tally import AttackClass, Tally


@dataclass(frozen=True, slots=True)
class Result:
    """One class of attacks, what it got and how long it took. ``broken`` is what ended it before its end."""

    attacks: AttackClass
    tally: Tally
    seconds: float
    broken: str | None = None

    @property
    def held(self) -> bool:
        return not self.tally.succeeded and not self.tally.closed_by_now and self.broken is None


def print_table(results: Sequence[Result], console: Console) -> None:
    table = Table(
        "class", "what is tried", "attempts", "answers", "accepted controls", "succeeded", "known open", "s"
    )
    for column in (2, 4, 5, 6, 7):
        table.columns[column].justify = "right"
    for result in results:
        table.add_row(*_row(result))
    table.add_section()
    tallies = [result.tally for result in results]
    attempts = sum(tally.attempts for tally in tallies)
    succeeded, known = (sum(map(len, (t.succeeded for t in tallies))), sum(t.open.total() for t in tallies))
    seconds = sum(result.seconds for result in results)
    table.add_row("all", "", str(attempts), "", "", str(succeeded), str(known), f"{seconds:.0f}")
    console.print(table)


def print_findings(results: Sequence[Result], console: Console) -> None:
    """Prints what succeeded, what is known to be open with its reason, and what is not open any more."""
    for result in results:
        name = result.attacks.name
        for line in result.tally.succeeded:
            console.print(f"SUCCEEDED {name}: {line}", markup=False)
        for begins, count in result.tally.open.items():
            reason = result.tally.known_open[begins]
            console.print(f"known open {name}: {begins.strip()} ({count}): {reason}", markup=False)
        for begins in result.tally.closed_by_now:
            console.print(f"CLOSED {name}: {begins.strip()}: remove it from known_open.py", markup=False)
        if result.broken is not None:
            console.print(f"BROKEN {name}: {result.broken}", markup=False)


def as_json(results: Sequence[Result]) -> str:
    return json.dumps([_fields(result) for result in results], indent=1)


def _row(result: Result) -> tuple[str, ...]:
    tally = result.tally
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(tally.answers.items()))
    counts = (
        str(tally.controls),
        str(len(tally.succeeded)),
        str(tally.open.total() or ""),
        f"{result.seconds:.0f}",
    )
    return result.attacks.name, result.attacks.what, str(tally.attempts), answers, *counts


def _fields(result: Result) -> Mapping[str, Any]:
    tally = result.tally
    return {
        "class": result.attacks.name,
        "attempts": tally.attempts,
        "answers": tally.answers,
        "controls": tally.controls,
        "succeeded": tally.succeeded,
        "known_open": tally.open,
        "closed_by_now": tally.closed_by_now,
        "broken": result.broken,
        "seconds": round(result.seconds, 1),
    }
