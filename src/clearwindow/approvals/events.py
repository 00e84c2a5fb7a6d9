"""The events that tell an enterprise what waits for it and what was decided. Its partners do not hear of it."""

from __future__ import annotations

from clearwindow.approvals.values import Approval
from clearwindow.database.pool import Transaction
from clearwindow.http.wire import present
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType


def tell(tx: Transaction, kind: EventType, approval: Approval) -> None:
    about = present(
        allocationId=None if approval.allocation_id is None else str(approval.allocation_id),
        quantity=None if approval.quantity is None else str(approval.quantity),
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
    notices.record(tx, [Event(kind, approval.enterprise_id, approval.id, payload | about)])
