"""Which mutants may survive, and why: ``survivors.toml``. A run fails on others, and if too few are killed."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

FILE: Final = Path(__file__).with_name("survivors.toml")
LEAST_KILLED: Final = 0.9
ALL: Final = "all"
CONSOLE: Final = Console(width=120, soft_wrap=True, markup=False, highlight=False)


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a mutant changes: the function or statement, and the lines before and after."""

    of: str
    lines: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant that was tried.

    ``group``: the module or the room of the statement. ``killed``: a test failed, or did not end.
    """

    group: str
    change: Change
    killed: bool


def known(kind: str) -> dict[Change, str]:
    """Returns the mutants that may survive, each with the reason. ``kind``: ``python`` or ``statements``."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8")).get(kind, [])
    return {Change(row["of"], row["lines"].strip()): row["why"] for row in rows}


def judge(kind: str, tried: Sequence[Tried], *, whole: bool, each_group: bool = True) -> list[str]:
    """Prints what was killed of each group. Returns what is wrong.

    Args:
        kind: ``python`` or ``statements``.
        tried: every mutant, with what came of it.
        whole: every mutant was tried.
        each_group: enough must be killed of each group, and not only of all.
    """
    groups = _by_group(tried)
    _print_table(groups)
    allowed = known(kind)
    survived = {each.change for each in tried if not each.killed}
    wrong = [_told(f"survives, and is not in {FILE.name}", change) for change in sorted(survived - set(allowed))]
    if whole:
        changes = {each.change for each in tried}
        gone, killed = set(allowed) - changes, (set(allowed) & changes) - survived
        wrong += [_told(f"is in {FILE.name}, but there is no such mutant", change) for change in sorted(gone)]
        wrong += [_told(f"is in {FILE.name}, but was killed", change) for change in sorted(killed)]
    for name, group in groups.items():
        share = sum(each.killed for each in group) / max(1, len(group))
        if share < LEAST_KILLED and (each_group or name == ALL):
            wrong.append(f"only {share:.1%} were killed of {name}: at least {LEAST_KILLED:.0%} must be")
    return wrong


def _told(what: str, change: Change) -> str:
    return f"{what}: {change.of}\n{change.lines}"


def _by_group(tried: Iterable[Tried]) -> dict[str, list[Tried]]:
    groups: dict[str, list[Tried]] = defaultdict(list)
    for each in tried:
        groups[each.group].append(each)
    return dict(sorted(groups.items())) | {ALL: list(tried)}


def _print_table(groups: Mapping[str, Sequence[Tried]]) -> None:
    table = Table("", "mutants", "killed", "survived", "killed of all")
    for name, group in groups.items():
        total, killed = len(group), sum(each.killed for each in group)
        table.add_row(name, str(total), str(killed), str(total - killed), f"{killed / max(1, total):.1%}")
    CONSOLE.print(table)
