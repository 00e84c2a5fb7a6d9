"""Reads of what is open. Each costs as much as there is of it, however long the history."""

from __future__ import annotations

from typing import Final

from clearwindow.monitoring.models import Archive, LastCheck, LockWaits, NetworkState, OpenSettlements, Waiting
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.monitoring")


def network_state(tx: Transaction) -> NetworkState:
    now = tx.now()
    with tx.together():
        settlements = tx.ask.all(OpenSettlements, sql["open_settlements"], now=now)
        waiting = tx.ask.one(Waiting, sql["waiting"], now=now)
        checks = tx.ask.all(LastCheck, sql["checks"], now=now)
        lock_waits = tx.ask.one(LockWaits, sql["lock_waits"])
        archive = tx.ask.first(Archive, sql["archive"])
    return NetworkState(settlements(), waiting(), checks(), lock_waits(), archive())


def last_checks(tx: Transaction) -> list[LastCheck]:
    """Returns the last check of each kind."""
    return tx.all(LastCheck, sql["checks"], now=tx.now())
