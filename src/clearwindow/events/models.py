"""The events there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class EventType(StrEnum):
    CONNECTION_CREATED = "connection.created"
    CONNECTION_UPDATED = "connection.updated"
    ALLOCATION_RESERVED = "allocation.reserved"
    ALLOCATION_CLEARED = "allocation.cleared"
    ALLOCATION_RELEASED = "allocation.released"
    DEALLOCATION_RESERVED = "deallocation.reserved"
    DEALLOCATION_CLEARED = "deallocation.cleared"
    DEALLOCATION_RELEASED = "deallocation.released"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_REJECTED = "approval.rejected"
    SETTLEMENT_INITIATED = "settlement.initiated"
    SETTLEMENT_FINALIZING = "settlement.finalizing"
    SETTLEMENT_TOP_UP_REQUIRED = "settlement.top_up_required"
    SETTLEMENT_COMPLETED = "settlement.completed"
    SETTLEMENT_FAILED = "settlement.failed"
    SETTLEMENT_REJECTED = "settlement.rejected"
    DISPUTE_CREATED = "dispute.created"
    DISPUTE_RETRACTED = "dispute.retracted"
    DISPUTE_UNRETRACTED = "dispute.unretracted"
    DISPUTE_CLOSED = "dispute.closed"
    DISPUTE_REVIEWED = "dispute.reviewed"
    SETTLEMENT_SLA_ALERT = "settlement.sla_alert"
    BALANCE_CHANGED = "balance.changed"
    WEBHOOK_ENDPOINT_TEST = "webhook_endpoint.test"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    WEBHOOK_ENDPOINT_RECOVERED = "webhook_endpoint.recovered"


SUBSCRIBABLE: Final = frozenset(EventType) - {EventType.WEBHOOK_ENDPOINT_TEST}
"""What an endpoint can ask to hear of; a test goes to the one endpoint it is for, whatever it asked for."""

OPT_IN: Final = frozenset({EventType.BALANCE_CHANGED})
"""What an endpoint hears of only when it asks for it by name; the database knows them, too."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, for one enterprise. ``payload`` holds JSON values and nothing of others."""

    type: EventType
    enterprise_id: str
    subject_id: UUID
    payload: Mapping[str, object]
