"""On-chain settlements and their deposits as due work. State is the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import DueSettlement, SettlementType
from clearwindow.settlements.onchain import deposits, execution, store
from clearwindow.settlements.onchain.chain import Chain
from clearwindow.settlements.onchain.models import Deposit

ChainOf = Callable[[Runtime], Chain]
"""Returns the chain that the work uses."""


class OnchainWork:
    """Takes the steps of on-chain settlements. Moving the due time claims a step; taking it twice does no harm."""

    name = "onchain_settlements"

    def __init__(self, chain_of: ChainOf) -> None:
        self._chain_of = chain_of

    def due(self, runtime: Runtime, limit: int) -> list[DueSettlement]:
        with runtime.transaction() as tx:
            return settlements.list_due(tx, SettlementType.ONCHAIN, limit)

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        return execution.advance(runtime, self._chain_of(runtime), job)

    def postpone(self, runtime: Runtime, job: DueSettlement, error: str) -> None:
        with runtime.transaction() as tx:
            settlements.record_failed_step(tx, job.id, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return settlements.next_due_at(tx, SettlementType.ONCHAIN)

    def count_due(self, tx: Transaction) -> int:
        return settlements.count_due(tx, SettlementType.ONCHAIN)


class DepositWork:
    """Asks the chain for the deposits that partners have submitted."""

    name = "onchain_deposits"

    def __init__(self, chain_of: ChainOf) -> None:
        self._chain_of = chain_of

    def due(self, runtime: Runtime, limit: int) -> list[Deposit]:
        with runtime.transaction() as tx:
            return store.due_deposits(tx, limit)

    def perform(self, runtime: Runtime, job: Deposit) -> bool:
        return deposits.check(runtime, self._chain_of(runtime), job)

    def postpone(self, runtime: Runtime, job: Deposit, error: str) -> None:
        deposits.postpone(runtime, job, error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_deposit_due_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due_deposits(tx)
