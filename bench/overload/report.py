"""Writes an outcome as a table for people, as Markdown for a page, and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.overload.outcome import (
    ACCEPTED_SECONDS,
    MEBIBYTE,
    MEMORY_BYTES,
    NORMAL_SECONDS,
    REFUSED_SECONDS,
    Outcome,
    Row,
    Times,
)

_COLUMNS: Final = (
    "stage",
    "offered /s",
    "accepted /s",
    "accepted: median, p99, worst ms",
    "503: number; median, worst ms",
    "503 of a lock: number; worst ms",
    "others",
    "sent late, p99 ms",
    "processors: generator, server, database",
    "MiB: server, database",
)


def print_outcome(outcome: Outcome, console: Console) -> None:
    table = Table(*_COLUMNS, title="Four times what the server can take", show_lines=True)
    for row in outcome.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for line in sentences(outcome):
        console.print(line, highlight=False)


def as_markdown(outcome: Outcome, machine: str) -> str:
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, outcome.rows)]
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([rows, *sentences(outcome), machine]) + "\n"


def as_json(outcome: Outcome, machine: str) -> str:
    return json.dumps(
        {**asdict(outcome), "aims": outcome.judged(), "met": outcome.met, "machine": machine}, indent=1
    )


def sentences(outcome: Outcome) -> list[str]:
    """Returns each aim with what was measured."""
    again = outcome.normal_after_seconds
    normal = "never normal again" if again is None else f"normal again {again:g} s after the overload"
    missed = [aim for aim, met in outcome.judged().items() if not met]
    aims = (
        f"Aims: p99 of the accepted {ACCEPTED_SECONDS * 1000:.0f} ms; every other one 503 with Retry-After within"
        f" {REFUSED_SECONDS:g} s; the server at most +{MEMORY_BYTES // MEBIBYTE} MiB; normal {NORMAL_SECONDS:g} s"
        " after."
    )
    found = (
        f"The server grew by {outcome.memory_growth / MEBIBYTE:.0f} MiB, and was {normal}."
        f" At the end {outcome.unfinished} due settlements were not completed."
    )
    judged = f"Missed: {', '.join(missed)}." if missed else "All aims are met."
    return [aims, found, *(f"Broken: {problem}." for problem in outcome.broken), judged]


def _cells(row: Row) -> tuple[str, ...]:
    others = ", ".join(f"{what}: {number}" for what, number in row.others.items())
    return (
        row.stage,
        f"{row.offered:.0f}",
        f"{row.accepted.number / row.seconds:.0f}",
        _milliseconds(row.accepted),
        f"{row.refused.number}; {row.refused.median * 1000:.0f}, {row.refused.worst * 1000:.0f}",
        f"{row.waited_for_locks.number}; {row.waited_for_locks.worst * 1000:.0f}",
        others or "none",
        f"{row.late * 1000:.0f}",
        f"{row.generator:.2f}, {row.server:.2f}, {row.database:.2f}",
        f"{row.server_bytes / MEBIBYTE:.0f}, {row.database_bytes / MEBIBYTE:.0f}",
    )


def _milliseconds(times: Times) -> str:
    return f"{times.median * 1000:.0f}, {times.p99 * 1000:.0f}, {times.worst * 1000:.0f}"
