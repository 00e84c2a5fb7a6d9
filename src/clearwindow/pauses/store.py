"""Reads and writes of pauses.

The functions that start with ``standing`` are for those who write: they keep pauses from being made until the
caller's transaction ends. They come after the locks of partners, settlements and allocations, and before balances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.pauses.models import Concerned, Pause, PauseFilter, StandingCount, Subject, Touched
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Listing, Order, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.pauses")
_NEWEST_FIRST: Final = Order({"paused_at": datetime, "id": UUID})


def standing_among(tx: Transaction, touched: Touched) -> list[Pause]:
    """Returns the pauses that stop an operation which touches all this."""
    values = {name: list(given) for name, given in asdict(touched).items()}
    return _standing(tx, "standing_among", **values)


def seen_among(tx: Transaction, touched: Touched) -> list[Pause]:
    """Returns the same for those who only read. Another pause may be made at any moment."""
    values = {name: list(given) for name, given in asdict(touched).items()}
    return tx.all(Pause, sql["standing_among"], **values)


def seen_for_account(tx: Transaction, go_account_id: UUID) -> list[Pause]:
    """Returns the pauses of a Go Account and of all currencies, for those who only read."""
    return tx.all(Pause, sql["seen_for_account"], go_account_id=go_account_id)


def standing_for_settlement(tx: Transaction, settlement_id: UUID) -> list[Pause]:
    """Returns the pauses that touch a stored settlement, which may be the caller's own, and has not ended."""
    return ask_standing_for_settlement(tx, settlement_id)()


def ask_standing_for_settlement(tx: Transaction, settlement_id: UUID) -> Later[list[Pause]]:
    """Does the same later. Its statement keeps pauses from being made, wherever its answer is read.

    The settlement is looked at when the answer is read, and only if anything is paused.
    """

    def read(standing: bool) -> list[Pause]:  # noqa: FBT001 - the answer of a statement
        return tx.all(Pause, sql["standing_for_settlement"], settlement_id=settlement_id) if standing else []

    return _any_standing(tx).then(read)


def ask_standing_for_amounts(
    tx: Transaction, partner_id: UUID, connection_ids: Sequence[UUID], currencies: Sequence[str]
) -> Later[list[Pause]]:
    """Returns later the pauses that would stop a settlement of these amounts. Locks nothing: for those who read."""
    given = {"connection_ids": list(connection_ids), "currencies": list(currencies)}
    return tx.ask.all(Pause, sql["standing_for_amounts"], partner_id=partner_id, **given)


def ask_paused_settlements(tx: Transaction, settlement_ids: Sequence[UUID]) -> Later[frozenset[UUID]]:
    """Returns later which of these stored settlements a pause touches."""

    def read(standing: bool) -> frozenset[UUID]:  # noqa: FBT001 - the answer of a statement
        if not standing:
            return frozenset()
        return frozenset(tx.scalars(UUID, sql["paused_settlements"], settlement_ids=list(settlement_ids)))

    return _any_standing(tx).then(read)


def standing_for_allocation(tx: Transaction, allocation_id: UUID) -> list[Pause]:
    """Returns the pauses that touch a reserved allocation or deallocation."""
    return _standing(tx, "standing_for_allocation", allocation_id=allocation_id)


def standing_for_account(tx: Transaction, go_account_id: UUID, currency: str) -> list[Pause]:
    """Returns the pauses that stop a movement between a Go Account and the outside."""
    return _standing(tx, "standing_for_account", go_account_id=go_account_id, currency=currency)


def _standing(tx: Transaction, name: str, **values: object) -> list[Pause]:
    return tx.all(Pause, sql[name], **values) if _any_standing(tx)() else []


def _any_standing(tx: Transaction) -> Later[bool]:
    # Mostly nothing is paused. Then one statement is enough, and PostgreSQL plans no other.
    return tx.ask.scalars(UUID, sql["first_standing"]).then(bool)


def lock(tx: Transaction) -> None:
    """Waits for all writers that have read pauses, and keeps others from reading them until the caller ends."""
    tx.run(sql["lock_pauses"])


def is_known(tx: Transaction, subject: Subject) -> bool:
    """Returns whether there is what the subject names."""
    return tx.scalars(bool, sql["is_subject_known"], **asdict(subject))[0]


def find_standing(tx: Transaction, subject: Subject) -> Pause | None:
    return tx.first(Pause, sql["find_standing"], **asdict(subject))


def insert(tx: Transaction, pause: Pause) -> None:
    tx.run(sql["insert_pause"], **asdict(pause))


def find(tx: Transaction, pause_id: UUID) -> Pause | None:
    return tx.first(Pause, sql["find_pause"], id=pause_id)


def lock_one(tx: Transaction, pause_id: UUID) -> Pause | None:
    return tx.first(Pause, sql["lock_pause"], id=pause_id)


def update(tx: Transaction, pause: Pause) -> None:
    """Stores the request to resume a standing pause, or its end."""
    if tx.run(sql["update_pause"], **asdict(pause)) != 1:
        raise AssertionError("a locked pause has ended")


def list_pauses(tx: Transaction, wanted: PauseFilter) -> Listing[Pause]:
    kinds = None if wanted.kinds is None else [str(kind) for kind in wanted.kinds]
    filters = {
        "kinds": kinds,
        "standing": wanted.standing,
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    return keyset_page(tx, Pause, sql["list_pauses"], filters, _NEWEST_FIRST, wanted.part)


def count_standing(tx: Transaction) -> list[StandingCount]:
    return tx.all(StandingCount, sql["count_standing"])


def concerned(tx: Transaction, subject: Subject) -> list[Concerned]:
    """Returns the enterprises that learn of a pause."""
    return tx.all(Concerned, sql["list_concerned"], **asdict(subject))
