"""Decisions about approvals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.approvals.values import Approval, ApprovalStatus, Change, Wish
from clearwindow.errors import ConflictError, PermissionDeniedError

TRANSITIONS: Final[Mapping[ApprovalStatus, frozenset[ApprovalStatus]]] = {
    ApprovalStatus.PENDING: frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}),
    ApprovalStatus.APPROVED: frozenset(),
    ApprovalStatus.REJECTED: frozenset(),
}


def requested(approval_id: UUID, wish: Wish, enterprise_id: str, user_id: str, now: datetime) -> Approval:
    return Approval(
        id=approval_id,
        enterprise_id=enterprise_id,
        partner_id=wish.partner_id,
        kind=wish.kind,
        allocation_id=wish.allocation_id,
        currency=wish.currency,
        quantity=wish.quantity,
        threshold=wish.threshold,
        status=ApprovalStatus.PENDING,
        initiated_by=user_id,
        decided_by=None,
        decided_at=None,
        notes=None,
        created_at=now,
        updated_at=now,
    )


def needs_approval(quantity: int, threshold: int | None) -> bool:
    """Whether an allocation of this quantity waits for a second user: only above the threshold, not at it."""
    return threshold is not None and quantity > threshold


def change_of(threshold: int | None, wanted: int | None) -> Change:
    """A stricter threshold counts at once; a laxer one needs a second user, as the allocations under it would."""
    if wanted == threshold:
        return Change.NONE
    if threshold is None or (wanted is not None and wanted < threshold):
        return Change.AT_ONCE
    return Change.AFTER_APPROVAL


def is_repeat(approval: Approval, user_id: str, decision: ApprovalStatus, notes: str | None) -> bool:
    """Whether this user has decided the very same already, which changes nothing."""
    return (approval.decided_by, approval.status, approval.notes) == (user_id, decision, notes)


def require_decidable(approval: Approval, user_id: str, decision: ApprovalStatus) -> None:
    """Whoever asked may take it back, but never approve it.

    Raises:
        PermissionDeniedError: one user would be both persons.
        ConflictError: it is decided already.
    """
    if decision is ApprovalStatus.APPROVED and approval.initiated_by == user_id:
        raise PermissionDeniedError(
            "own_approval", "you asked for this yourself: another user of the enterprise must approve it"
        )
    if decision not in TRANSITIONS[approval.status]:
        raise ConflictError("approval_decided", f"the approval is {approval.status} already")


def require_unchanged(approval: Approval, threshold: int | None) -> None:
    """A threshold is raised from what it was when that was asked for, or not at all."""
    if threshold != approval.threshold:
        now = "none" if threshold is None else str(threshold)
        raise ConflictError(
            "threshold_changed",
            f"the threshold of {approval.currency} is {now} now, and was {approval.threshold} when this was asked"
            " for: reject it and ask again",
            {"threshold": None if threshold is None else str(threshold)},
        )


def require_same_change(waiting: Approval, wish: Wish) -> None:
    """One change of a threshold waits at a time; the same one may be asked for again."""
    if (waiting.quantity, waiting.threshold) != (wish.quantity, wish.threshold):
        raise ConflictError(
            "threshold_change_waiting",
            f"another change of the threshold of {waiting.currency} waits as {waiting.id}: have it approved or"
            " rejected first",
            {"pendingApprovalId": str(waiting.id)},
        )
