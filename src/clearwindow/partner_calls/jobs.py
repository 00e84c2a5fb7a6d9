"""Owed calls as due work: calls that have no answer and whose time has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from clearwindow.partner_calls import calls, store
from clearwindow.partner_calls.models import NOTICES, Operation, OwedCall, Silent
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


class CallWork:
    """Makes the owed calls of some operations. ``carry_out`` makes one call and carries out its answer."""

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
        """Leases the call, so that no transaction is open while it is made."""
        if not calls.claim(runtime, job):
            return False
        self._carry_out(runtime, job)
        return True

    def postpone(self, runtime: Runtime, job: OwedCall, error: str) -> None:
        with runtime.transaction() as tx:
            calls.postpone(tx, job, Silent(error))

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx, self._operations)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx, self._operations)

    def under_way(self, tx: Transaction) -> int:
        """Returns how many of these calls are leased now, by any process."""
        return store.count_leased(tx, self._operations)


def send_notice(runtime: Runtime, call: OwedCall) -> None:
    """Sends a notice once. It is repeated until the partner receives it."""
    answer = calls.make(runtime, call)
    with runtime.transaction() as tx:
        if isinstance(answer, Silent):
            calls.postpone(tx, call, answer)
        else:
            calls.end(tx, call)


def notice_work() -> CallWork:
    return CallWork("partner-calls", NOTICES, send_notice)
