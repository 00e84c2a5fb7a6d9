"""How much work is due, and how long it has been due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


class Waiting(Protocol):
    """One kind of due work that can be looked at."""

    @property
    def name(self) -> str: ...

    def next_due_at(self, tx: Transaction) -> datetime | None:
        """Returns when the first job is or was due, None if there is no job."""
        ...

    def count_due(self, tx: Transaction) -> int:
        """Returns how many jobs are due."""
        ...


@runtime_checkable
class Leasing(Protocol):
    """Due work that a process does outside of transactions, under a lease."""

    def under_way(self, tx: Transaction) -> int:
        """Returns how many jobs are leased."""
        ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many jobs of one kind are due, and how long the first of them has been due."""

    due: int
    overdue_seconds: float


def backlogs(runtime: Runtime, kinds: Sequence[Waiting]) -> Mapping[str, Backlog]:
    """Returns the backlog of each kind, by its name."""
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
