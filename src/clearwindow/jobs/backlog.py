"""How much due work there is, and for how long it has been waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from clearwindow.database.pool import Transaction
from clearwindow.runtime import Runtime


class Waiting(Protocol):
    """Due work, as far as looking at it goes."""

    @property
    def name(self) -> str: ...

    def next_due_at(self, tx: Transaction) -> datetime | None:
        """When the first job's time comes, or came."""
        ...

    def count_due(self, tx: Transaction) -> int:
        """How many jobs' time has come."""
        ...


@runtime_checkable
class Leasing(Protocol):
    """Due work that is under way outside of any transaction, by whoever has a lease on it."""

    def under_way(self, tx: Transaction) -> int:
        """How many jobs are in somebody's hands."""
        ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of one kind of work: the jobs whose time has come, and how long the first of them has been due."""

    due: int
    overdue_seconds: float


def backlogs(runtime: Runtime, kinds: Sequence[Waiting]) -> Mapping[str, Backlog]:
    with runtime.transaction() as tx:
        return {kind.name: _backlog(tx, kind) for kind in kinds}


def _backlog(tx: Transaction, kind: Waiting) -> Backlog:
    next_due_at = kind.next_due_at(tx)
    if next_due_at is None:
        return Backlog(0, 0.0)
    overdue_seconds = (tx.now() - next_due_at).total_seconds()
    if overdue_seconds < 0:
        return Backlog(0, 0.0)
    return Backlog(kind.count_due(tx), overdue_seconds)
