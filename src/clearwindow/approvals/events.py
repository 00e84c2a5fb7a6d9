"""The events of approvals and thresholds. Only the enterprise itself gets them, never its partners."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from clearwindow.approvals.models import Approval, ApprovalKind
from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity.models import Member
from clearwindow.postgres.pool import Transaction


def record(tx: Transaction, kind: EventType, approval: Approval) -> None:
    about = present(
        allocationId=None if approval.allocation_id is None else str(approval.allocation_id),
        quantity=None if approval.quantity is None else str(approval.quantity),
        dayQuantity=None if approval.day_quantity is None else str(approval.day_quantity),
        decidedBy=approval.decided_by,
        notes=approval.notes,
    )
    payload = {
        "pendingApprovalId": str(approval.id),
        "type": str(approval.kind),
        "status": str(approval.status),
        "currency": approval.currency,
        "threshold": str(approval.threshold),
        "initiatedBy": approval.initiated_by,
    }
    outbox.record(tx, [Event(kind, approval.enterprise_id, approval.id, payload | about)])


def thresholds_changed(
    tx: Transaction, member: Member, kind: ApprovalKind, changed: Mapping[str, int | None]
) -> None:
    """Tells the enterprise's users of each currency whose threshold is another now."""
    subject_id = uuid5(NAMESPACE_URL, member.enterprise_id)
    told = [
        {"type": str(kind), "currency": currency, "changedBy": member.user_id}
        | present(quantity=None if quantity is None else str(quantity))
        for currency, quantity in sorted(changed.items())
    ]
    outbox.record(tx, [Event(EventType.THRESHOLD_CHANGED, member.enterprise_id, subject_id, each) for each in told])
