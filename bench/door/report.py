"""Writes outcomes as a table for people, as Markdown for a page, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.door.outcome import HEALTH_SECONDS, MEBIBYTE, MEMORY_BYTES, STRANGER_SECONDS, Answers, Outcome, Times

_COLUMNS: Final = (
    "attack",
    "answers",
    "sent, held open",
    "server MiB (aim +100)",
    "database MiB",
    "/healthz worst, p99 s (aim 0.5)",
    "stranger worst, p99 s (aim 1)",
    "normal after s",
    "aims",
)
_MOST_ANSWERS: Final = 5


def print_table(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table(*_COLUMNS, title="Attacks on the server", show_lines=True)
    for outcome in outcomes:
        table.add_row(*_row(outcome))
    console.print(table)


def as_markdown(outcomes: Sequence[Outcome], machine: str) -> str:
    """Returns the table, and a line that says on what it was measured."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(outcome) for outcome in outcomes)]
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{rows}\n\n{machine}\n"


def as_json(outcomes: Sequence[Outcome], machine: str) -> str:
    return json.dumps({"machine": machine, "attacks": [_fields(outcome) for outcome in outcomes]}, indent=1)


def one_line(outcome: Outcome) -> str:
    """Returns what is said while the others still run."""
    return (
        f"    answers {_answers(outcome.taken.answers)}; /healthz {_times(outcome.health, HEALTH_SECONDS)},"
        f" stranger {_times(outcome.stranger, STRANGER_SECONDS)},"
        f" server {_mebibytes(outcome.server_bytes)} MiB: {_aims(outcome)}"
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.name,
        "; ".join([_answers(outcome.taken.answers), *outcome.taken.notes]),
        _held(outcome),
        _mebibytes(outcome.server_bytes),
        _mebibytes(outcome.database_bytes),
        _times(outcome.health, HEALTH_SECONDS),
        _times(outcome.stranger, STRANGER_SECONDS),
        "never" if outcome.normal_after_seconds is None else f"{outcome.normal_after_seconds:.1f}",
        _aims(outcome),
    )


def _held(outcome: Outcome) -> str:
    longest = outcome.taken.longest
    if longest is None:
        return ""
    sent = outcome.taken.most_bytes
    size = f"{sent / MEBIBYTE:.1f} MiB" if sent >= MEBIBYTE // 10 else f"{sent} bytes"
    still = f"{outcome.taken.open_at_the_end} of {len(outcome.taken.held)} open at the end"
    return f"{size}, {longest.seconds:.1f} s, {still}"


def _answers(answers: Answers) -> str:
    shown = [f"{status}: {count}" for status, count in answers.most_common(_MOST_ANSWERS)]
    return ", ".join(shown) or "no answers"


def _times(times: Times, aim: float) -> str:
    failed = f", {times.failed.total()} of {times.probes} failed ({_answers(times.failed)})" if times.failed else ""
    sign = "" if times.within(aim) else " !"
    return f"{times.worst:.2f}, {times.p99:.2f}{failed}{sign}"


def _mebibytes(count: int) -> str:
    sign = " !" if count > MEMORY_BYTES else ""
    return f"+{count / MEBIBYTE:.0f}{sign}"


def _aims(outcome: Outcome) -> str:
    missed = [aim for aim, met in outcome.judged().items() if not met]
    return f"missed: {', '.join(missed)}" if missed else "met"


def _fields(outcome: Outcome) -> Mapping[str, Any]:
    taken = outcome.taken
    return {
        "name": outcome.name,
        "what": outcome.what,
        "answers": taken.answers,
        "notes": taken.notes,
        "connections": len(taken.held),
        "open_at_the_end": taken.open_at_the_end,
        "most_bytes": taken.most_bytes,
        "longest_seconds": taken.longest.seconds if taken.longest else None,
        "server_bytes": outcome.server_bytes,
        "database_bytes": outcome.database_bytes,
        "health": _times_fields(outcome.health),
        "stranger": _times_fields(outcome.stranger),
        "attack_seconds": outcome.attack_seconds,
        "normal_after_seconds": outcome.normal_after_seconds,
        "aims": outcome.judged(),
        "met": outcome.met,
    }


def _times_fields(times: Times) -> Mapping[str, Any]:
    return {"probes": times.probes, "worst": times.worst, "p99": times.p99, "failed": times.failed}
