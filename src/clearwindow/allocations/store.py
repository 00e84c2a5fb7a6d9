"""Reads and writes of allocations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.allocations.models import (
    Allocation,
    AllocationFilter,
    AllocationStatus,
    AllocationType,
    SearchedAllocations,
)
from clearwindow.postgres.paging import NEWEST_FIRST, Columns, Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.allocations")
_SORTED_BY: Final[Mapping[str, Columns]] = {
    "id": {"id": UUID},
    "updatedAt": {"updated_at": datetime, "created_at": datetime, "id": UUID},
    "quantity": {"quantity": Decimal, "created_at": datetime, "id": UUID},
    "currency": {"currency": str, "created_at": datetime, "id": UUID},
}


def insert_allocation(tx: Transaction, allocation: Allocation) -> None:
    tx.run(sql["insert_allocation"], **asdict(allocation))


def move_allocation(tx: Transaction, allocation: Allocation, *, expected: AllocationStatus) -> None:
    """Stores the new state of an allocation whose status in the database is ``expected``."""
    moved = tx.run(
        sql["move_allocation"],
        id=allocation.id,
        status=allocation.status,
        refusal=allocation.refusal,
        reason=allocation.reason,
        retriable=allocation.retriable,
        partner_external_id=allocation.partner_external_id,
        policy_result=allocation.policy_result,
        updated_at=allocation.updated_at,
        expected=expected,
    )
    if moved != 1:
        raise LookupError(f"the allocation {allocation.id} is no longer {expected}")


def find_allocation(tx: Transaction, allocation_id: UUID) -> Allocation | None:
    return tx.first(Allocation, sql["find_allocation"], id=allocation_id)


def lock_allocation(tx: Transaction, allocation_id: UUID) -> Allocation | None:
    """Returns the allocation, locked until the transaction ends, so that only one transaction at a time ends it."""
    return tx.first(Allocation, sql["lock_allocation"], id=allocation_id)


def find_by_external_id(
    tx: Transaction, connection_id: UUID, kind: AllocationType, client_external_id: str
) -> Allocation | None:
    values = {"connection_id": connection_id, "type": kind, "client_external_id": client_external_id}
    return tx.first(Allocation, sql["find_by_external_id"], **values)


def unapproved_quantity(tx: Transaction, client_id: UUID, partner_id: UUID, currency: str, since: datetime) -> int:
    """Returns the sum of the client's allocations to the partner after ``since`` that nobody approved.

    The caller has locked the balance that they come from, so that none is added meanwhile.
    """
    values = {"client_id": client_id, "partner_id": partner_id, "currency": currency, "since": since}
    return tx.scalars(int, sql["unapproved_quantity"], **values)[0]


def list_allocations(tx: Transaction, wanted: AllocationFilter, part: Slice) -> Listing[Allocation]:
    values = {name: value for name, value in asdict(wanted).items() if name not in {"sort_field", "sort_direction"}}
    order = Order(_SORTED_BY[wanted.sort_field], descending=wanted.sort_direction == "DESC")
    return keyset_page(tx, Allocation, sql["list_allocations"], values, order, part)


def search_allocations(tx: Transaction, wanted: SearchedAllocations, part: Slice) -> Listing[Allocation]:
    return keyset_page(tx, Allocation, sql["search_allocations"], asdict(wanted), NEWEST_FIRST, part)
