"""Settlements as due work: state is the queue, a settlement is due when its ``due_at`` has passed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from clearwindow.database.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import course, store
from clearwindow.settlements.values import DueSettlement, SettlementType


class SettlementWork:
    """Ends windows and executes settlements. Claimed by the partner's lock, which ends with its transaction."""

    name = "settlements"
    parallel: Final = 4
    """Each job is another partner's, and most of its time the database's."""

    def due(self, runtime: Runtime, limit: int) -> list[DueSettlement]:
        with runtime.transaction() as tx:
            return store.list_due(tx, SettlementType.OFFCHAIN, limit)

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        return course.advance(runtime, job)

    def postpone(self, runtime: Runtime, job: DueSettlement, error: str) -> None:
        """Notes a defect with the settlement and has it tried again later, ever more rarely."""
        with runtime.transaction() as tx:
            store.record_failed_attempt(tx, job.id, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx, SettlementType.OFFCHAIN)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx, SettlementType.OFFCHAIN)
