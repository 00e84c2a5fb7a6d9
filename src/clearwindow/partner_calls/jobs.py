"""Owed calls as due work: a row that has not been answered, whose time has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from clearwindow.database.pool import Transaction
from clearwindow.partnercalls import service, store
from clearwindow.partnercalls.values import TELLINGS, Operation, OwedCall, Silent
from clearwindow.runtime import Runtime


class CallWork:
    """Makes the owed calls of some operations. What is asked has its answer carried out by its own noun."""

    parallel: Final = 8

    def __init__(
        self, name: str, operations: Sequence[Operation], carry_out: Callable[[Runtime, OwedCall], object]
    ) -> None:
        self.name = name
        self._operations = operations
        self._carry_out = carry_out

    def due(self, runtime: Runtime, limit: int) -> list[OwedCall]:
        with runtime.transaction() as tx:
            return store.list_due(tx, self._operations, limit)

    def perform(self, runtime: Runtime, job: OwedCall) -> bool:
        """Claims the call by a lease, so that no transaction is open while it is made."""
        if not service.claim(runtime, job):
            return False
        self._carry_out(runtime, job)
        return True

    def postpone(self, runtime: Runtime, job: OwedCall, error: str) -> None:
        with runtime.transaction() as tx:
            service.postpone(tx, job, Silent(error))

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx, self._operations)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx, self._operations)

    def under_way(self, tx: Transaction) -> int:
        """How many of them are being made, by whoever it is."""
        return store.count_leased(tx, self._operations)


def tell(runtime: Runtime, call: OwedCall) -> None:
    """Tells the partner what has happened, until it has heard."""
    answer = service.make(runtime, call)
    with runtime.transaction() as tx:
        if isinstance(answer, Silent):
            service.postpone(tx, call, answer)
        else:
            service.end(tx, call)


def telling_work() -> CallWork:
    return CallWork("partner-calls", TELLINGS, tell)
