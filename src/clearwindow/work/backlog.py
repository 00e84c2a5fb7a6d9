"""How much due work there is, and for how long it has been waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from clearwindow.runtime import Runtime


class Waiting(Protocol):
    """Due work, as far as looking at it goes."""

    @property
    def name(self) -> str: ...

    def next_due_at(self, runtime: Runtime) -> datetime | None: ...

    def count_due(self, runtime: Runtime) -> int:
        """How many jobs' time has come."""
        ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of one kind of work: the jobs whose time has come, and how long the first of them has been due."""

    due: int
    overdue_seconds: float


def backlogs(runtime: Runtime, kinds: Sequence[Waiting]) -> Mapping[str, Backlog]:
    return {kind.name: _backlog(runtime, kind) for kind in kinds}


def _backlog(runtime: Runtime, kind: Waiting) -> Backlog:
    next_due_at = kind.next_due_at(runtime)
    if next_due_at is None:
        return Backlog(0, 0.0)
    overdue_seconds = (runtime.clock.now() - next_due_at).total_seconds()
    if overdue_seconds < 0:
        return Backlog(0, 0.0)
    return Backlog(kind.count_due(runtime), overdue_seconds)
