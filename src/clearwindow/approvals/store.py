"""Reads and writes of approvals and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final
from uuid import UUID

from clearwindow.approvals.models import Approval, ApprovalFilter, ApprovalKind, Threshold
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.approvals")


def thresholds(tx: Transaction, enterprise_id: str, kind: ApprovalKind) -> dict[str, int]:
    """Returns all thresholds of this kind of the enterprise, in base units, by our currency name."""
    found = tx.all(Threshold, sql["list_thresholds"], enterprise_id=enterprise_id, kind=kind)
    return {threshold.currency: threshold.quantity for threshold in found}


def put_thresholds(
    tx: Transaction, enterprise_id: str, kind: ApprovalKind, user_id: str, wanted: Mapping[str, int]
) -> None:
    if wanted:
        tx.run(
            sql["put_thresholds"],
            enterprise_id=enterprise_id,
            kind=kind,
            user_id=user_id,
            currencies=list(wanted),
            quantities=list(wanted.values()),
            now=tx.now(),
        )


def drop_threshold(tx: Transaction, enterprise_id: str, kind: ApprovalKind, currency: str) -> None:
    tx.run(sql["drop_threshold"], enterprise_id=enterprise_id, kind=kind, currency=currency)


def insert_approval(tx: Transaction, approval: Approval) -> None:
    tx.run(sql["insert_approval"], **asdict(approval))


def find_approval(tx: Transaction, approval_id: UUID) -> Approval | None:
    return tx.first(Approval, sql["find_approval"], id=approval_id)


def lock_approval(tx: Transaction, approval_id: UUID) -> Approval:
    """Returns an approval that exists, locked until the transaction ends."""
    return tx.one(Approval, sql["lock_approval"], id=approval_id)


def waiting_changes(tx: Transaction, enterprise_id: str, kind: ApprovalKind) -> dict[str, Approval]:
    """Returns the pending changes of thresholds of this kind, by currency."""
    found = tx.all(Approval, sql["list_waiting_changes"], enterprise_id=enterprise_id, kind=kind)
    return {approval.currency: approval for approval in found}


def decide(tx: Transaction, approval: Approval) -> None:
    """Stores the decision about a pending approval."""
    decided = tx.run(
        sql["decide_approval"],
        id=approval.id,
        status=approval.status,
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
        notes=approval.notes,
    )
    if decided != 1:
        raise LookupError(f"the approval {approval.id} is no longer pending")


def list_approvals(tx: Transaction, wanted: ApprovalFilter, part: Slice) -> Listing[Approval]:
    return keyset_page(tx, Approval, sql["list_approvals"], asdict(wanted), NEWEST_FIRST, part)
