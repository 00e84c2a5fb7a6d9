"""On-chain settlements and their deposits as due work. State is the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from clearwindow.database.pool import Transaction
from clearwindow.onchain import course, depositing, store
from clearwindow.onchain.chain import Chain
from clearwindow.onchain.values import Deposit
from clearwindow.runtime import Runtime
from clearwindow.settlements import service as settlements
from clearwindow.settlements.values import DueSettlement, SettlementType

ChainOf = Callable[[Runtime], Chain]
"""How the work comes to the chain it speaks to."""


class OnchainWork:
    """Takes on-chain settlements from step to step. A step is claimed by its due time; twice does no harm."""

    name = "onchain_settlements"

    def __init__(self, chain_of: ChainOf) -> None:
        self._chain_of = chain_of

    def due(self, runtime: Runtime, limit: int) -> list[DueSettlement]:
        with runtime.transaction() as tx:
            return settlements.list_due(tx, SettlementType.ONCHAIN, limit)

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        return course.advance(runtime, self._chain_of(runtime), job)

    def postpone(self, runtime: Runtime, job: DueSettlement, error: str) -> None:
        with runtime.transaction() as tx:
            settlements.record_failed_step(tx, job.id, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return settlements.next_due_at(tx, SettlementType.ONCHAIN)

    def count_due(self, tx: Transaction) -> int:
        return settlements.count_due(tx, SettlementType.ONCHAIN)


class DepositWork:
    """Asks the chain for the deposits that partners have given."""

    name = "onchain_deposits"

    def __init__(self, chain_of: ChainOf) -> None:
        self._chain_of = chain_of

    def due(self, runtime: Runtime, limit: int) -> list[Deposit]:
        with runtime.transaction() as tx:
            return store.due_deposits(tx, limit)

    def perform(self, runtime: Runtime, job: Deposit) -> bool:
        return depositing.watch(runtime, self._chain_of(runtime), job)

    def postpone(self, runtime: Runtime, job: Deposit, error: str) -> None:
        depositing.postpone(runtime, job, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_deposit_due_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due_deposits(tx)
