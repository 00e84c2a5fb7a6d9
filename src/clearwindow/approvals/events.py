"""The events of approvals. Only the enterprise itself gets them, never its partners."""

from __future__ import annotations

from clearwindow.approvals.models import Approval
from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
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
