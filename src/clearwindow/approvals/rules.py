"""Decisions about approvals and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.approvals.models import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    Change,
    Exceeded,
    RequestedApproval,
)
from clearwindow.core.errors import ConflictError, PermissionDeniedError

TRANSITIONS: Final[Mapping[ApprovalStatus, frozenset[ApprovalStatus]]] = {
    ApprovalStatus.PENDING: frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}),
    ApprovalStatus.APPROVED: frozenset(),
    ApprovalStatus.REJECTED: frozenset(),
}

NOUNS: Final[Mapping[ApprovalKind, str]] = {
    ApprovalKind.ALLOCATION: "allocation",
    ApprovalKind.THRESHOLD: "threshold",
    ApprovalKind.DAILY_THRESHOLD: "daily threshold",
    ApprovalKind.CUSTODIAN_LIMIT: "custodian limit",
}


def requested(
    approval_id: UUID, request: RequestedApproval, enterprise_id: str, user_id: str, now: datetime
) -> Approval:
    """Returns the pending approval of a request."""
    return Approval(
        id=approval_id,
        enterprise_id=enterprise_id,
        partner_id=request.partner_id,
        kind=request.kind,
        allocation_id=request.allocation_id,
        currency=request.currency,
        quantity=request.quantity,
        threshold=request.threshold,
        status=ApprovalStatus.PENDING,
        initiated_by=user_id,
        decided_by=None,
        decided_at=None,
        notes=None,
        created_at=now,
        updated_at=now,
        day_quantity=request.day_quantity,
    )


def needs_approval(quantity: int, threshold: int | None) -> bool:
    """Returns whether an allocation needs a second user: only if it is above the threshold. Base units."""
    return threshold is not None and quantity > threshold


def exceeded(
    quantity: int, threshold: int | None, *, day_quantity: int, daily_threshold: int | None
) -> Exceeded | None:
    """Returns the threshold that keeps an allocation waiting for a second user, None if it may continue.

    Args:
        quantity: of the allocation.
        threshold: of one allocation.
        day_quantity: of the day's allocations that nobody approved, with this one.
        daily_threshold: of their sum.
    """
    if threshold is not None and needs_approval(quantity, threshold):
        return Exceeded(threshold)
    if daily_threshold is not None and needs_approval(day_quantity, daily_threshold):
        return Exceeded(daily_threshold, day_quantity)
    return None


def change_of(threshold: int | None, wanted: int | None) -> Change:
    """Returns when a requested threshold takes effect: at once if it is lower or new, else after an approval.

    ``None`` means no threshold.
    """
    if wanted == threshold:
        return Change.NONE
    if threshold is None or (wanted is not None and wanted < threshold):
        return Change.AT_ONCE
    return Change.AFTER_APPROVAL


def is_repeat(approval: Approval, user_id: str, decision: ApprovalStatus, notes: str | None) -> bool:
    """Returns whether this user has made the same decision before."""
    return (approval.decided_by, approval.status, approval.notes) == (user_id, decision, notes)


def require_decidable(approval: Approval, user_id: str, decision: ApprovalStatus) -> None:
    """Checks that the user may make this decision. The user who requested the approval may only reject it.

    Raises:
        PermissionDeniedError: the user would approve its own request.
        ConflictError: the approval is already decided.
    """
    if decision is ApprovalStatus.APPROVED and approval.initiated_by == user_id:
        raise PermissionDeniedError(
            "own_approval", "you requested this approval: another user of the enterprise must approve it"
        )
    if decision not in TRANSITIONS[approval.status]:
        raise ConflictError("approval_decided", f"the approval is already {approval.status}")


def require_unchanged(approval: Approval, threshold: int | None) -> None:
    """Checks that the threshold is still the one from which the change was requested.

    Raises:
        ConflictError: the threshold has changed meanwhile.
    """
    if threshold != approval.threshold:
        now = "none" if threshold is None else str(threshold)
        raise ConflictError(
            "threshold_changed",
            f"the {NOUNS[approval.kind]} of {approval.currency} is now {now}, but was {approval.threshold} when"
            " this change was requested: reject this approval and request the change again",
            {"threshold": None if threshold is None else str(threshold)},
        )


def require_same_change(waiting: Approval, request: RequestedApproval) -> None:
    """Checks that a new request repeats the pending one. Each currency has at most one pending change.

    Raises:
        ConflictError: another change of this threshold is pending.
    """
    if (waiting.quantity, waiting.threshold) != (request.quantity, request.threshold):
        raise ConflictError(
            "threshold_change_waiting",
            f"another change of the {NOUNS[waiting.kind]} of {waiting.currency} is pending, {waiting.id}: approve"
            " or reject it first",
            {"pendingApprovalId": str(waiting.id)},
        )
