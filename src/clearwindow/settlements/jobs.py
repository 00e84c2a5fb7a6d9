"""Settlements as due work. State is the queue: a settlement is due once its ``due_at`` has passed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import execution, store
from clearwindow.settlements.models import DueSettlement, SettlementType


class SettlementWork:
    """Ends windows and executes settlements. The claim of the partner ends with the transaction."""

    name = "settlements"
    parallel: Final = 4
    """Jobs run for different partners and mostly wait for the database."""

    def due(self, runtime: Runtime, limit: int) -> list[DueSettlement]:
        with runtime.transaction() as tx:
            return store.list_due(tx, SettlementType.OFFCHAIN, limit)

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        return execution.advance(runtime, job)

    def postpone(self, runtime: Runtime, job: DueSettlement, error: str) -> None:
        """Records the error of an unexpected failure. Waits longer after each further failure."""
        with runtime.transaction() as tx:
            store.record_failed_attempt(tx, job.id, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx, SettlementType.OFFCHAIN)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx, SettlementType.OFFCHAIN)
