"""Reads and writes of allocations."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from clearwindow.allocations.values import (
    Allocation,
    AllocationFilter,
    AllocationStatus,
    AllocationType,
    PolicyResult,
    Refusal,
)
from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.allocations")


def insert_allocation(tx: Transaction, allocation: Allocation) -> None:
    columns = asdict(allocation) | {"quantity": Decimal(allocation.quantity)}
    tx.run(sql["insert_allocation"], **columns)


def move_allocation(tx: Transaction, allocation: Allocation, *, expected: AllocationStatus) -> None:
    """Stores the state that the allocation went to from ``expected``."""
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
        raise LookupError(f"the allocation {allocation.id} is not {expected} any more")


def find_allocation(tx: Transaction, allocation_id: UUID) -> Allocation | None:
    found = tx.records(sql["find_allocation"], id=allocation_id)
    return _allocation(**_columns(found[0])) if found else None


def lock_allocation(tx: Transaction, allocation_id: UUID) -> Allocation | None:
    """The allocation, held until the transaction ends: whoever ends it goes alone."""
    found = tx.records(sql["lock_allocation"], id=allocation_id)
    return _allocation(**_columns(found[0])) if found else None


def find_by_external_id(
    tx: Transaction, connection_id: UUID, kind: AllocationType, client_external_id: str
) -> Allocation | None:
    found = tx.records(
        sql["find_by_external_id"],
        connection_id=connection_id,
        type=kind,
        client_external_id=client_external_id,
    )
    return _allocation(**_columns(found[0])) if found else None


def list_allocations(tx: Transaction, wanted: AllocationFilter, *, limit: int, offset: int) -> Listing[Allocation]:
    return list_page(tx, _allocation, sql["list_allocations"], asdict(wanted), limit=limit, offset=offset)


def _columns(record: dict[str, object]) -> dict[str, Any]:
    return dict(record)


def _allocation(
    *,
    type: str,  # noqa: A002 - the column's name
    status: str,
    quantity: Decimal,
    refusal: str | None,
    policy_result: str | None,
    **columns: Any,  # noqa: ANN401 - the columns are the fields
) -> Allocation:
    return Allocation(
        type=AllocationType(type),
        status=AllocationStatus(status),
        quantity=int(quantity),
        refusal=Refusal(refusal) if refusal else None,
        policy_result=PolicyResult(policy_result) if policy_result else None,
        **columns,
    )
