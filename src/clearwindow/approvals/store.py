"""Reads and writes of approvals and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from clearwindow.approvals.values import Approval, ApprovalFilter, ApprovalKind, ApprovalStatus
from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.approvals")


def thresholds(tx: Transaction, enterprise_id: str) -> dict[str, int]:
    """All thresholds of the enterprise, by our currency name."""
    rows = tx.records(sql["list_thresholds"], enterprise_id=enterprise_id)
    return {str(row["currency"]): int(cast("Decimal", row["quantity"])) for row in rows}


def put_thresholds(tx: Transaction, enterprise_id: str, user_id: str, wanted: Mapping[str, int]) -> None:
    if wanted:
        tx.run(
            sql["put_thresholds"],
            enterprise_id=enterprise_id,
            user_id=user_id,
            currencies=list(wanted),
            quantities=[Decimal(quantity) for quantity in wanted.values()],
            now=tx.now(),
        )


def drop_threshold(tx: Transaction, enterprise_id: str, currency: str) -> None:
    tx.run(sql["drop_threshold"], enterprise_id=enterprise_id, currency=currency)


def insert_approval(tx: Transaction, approval: Approval) -> None:
    numbers = {"quantity": _decimal(approval.quantity), "threshold": Decimal(approval.threshold)}
    tx.run(sql["insert_approval"], **asdict(approval) | numbers)


def find_approval(tx: Transaction, approval_id: UUID) -> Approval | None:
    found = tx.records(sql["find_approval"], id=approval_id)
    return _approval(**_columns(found[0])) if found else None


def lock_approval(tx: Transaction, approval_id: UUID) -> Approval:
    """An approval that exists, held until the transaction ends."""
    return _approval(**_columns(tx.records(sql["lock_approval"], id=approval_id)[0]))


def waiting_changes(tx: Transaction, enterprise_id: str) -> dict[str, Approval]:
    """The changes of thresholds that wait, by currency."""
    rows = tx.records(sql["list_waiting_changes"], enterprise_id=enterprise_id)
    found = [_approval(**_columns(row)) for row in rows]
    return {approval.currency: approval for approval in found}


def decide(tx: Transaction, approval: Approval) -> None:
    """Stores the decision on an approval that was pending."""
    decided = tx.run(
        sql["decide_approval"],
        id=approval.id,
        status=approval.status,
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
        notes=approval.notes,
    )
    if decided != 1:
        raise LookupError(f"the approval {approval.id} is not pending any more")


def list_approvals(tx: Transaction, wanted: ApprovalFilter, *, limit: int, offset: int) -> Listing[Approval]:
    return list_page(tx, _approval, sql["list_approvals"], asdict(wanted), limit=limit, offset=offset)


def _decimal(quantity: int | None) -> Decimal | None:
    return None if quantity is None else Decimal(quantity)


def _columns(record: dict[str, object]) -> dict[str, Any]:
    return dict(record)


def _approval(
    *,
    kind: str,
    status: str,
    quantity: Decimal | None,
    threshold: Decimal,
    **columns: Any,  # noqa: ANN401 - the columns are the fields
) -> Approval:
    return Approval(
        kind=ApprovalKind(kind),
        status=ApprovalStatus(status),
        quantity=None if quantity is None else int(quantity),
        threshold=int(threshold),
        **columns,
    )
