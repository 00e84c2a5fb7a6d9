"""Event types and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    SETTLEMENT_WITHDRAWN = "settlement.withdrawn"
    DISPUTE_CREATED = "dispute.created"
    DISPUTE_RETRACTED = "dispute.retracted"
    DISPUTE_UNRETRACTED = "dispute.unretracted"
    DISPUTE_CLOSED = "dispute.closed"
    DISPUTE_REVIEWED = "dispute.reviewed"
    SETTLEMENT_SLA_ALERT = "settlement.sla_alert"
    GO_ACCOUNT_KEY_ADDED = "go_account_key.added"
    GO_ACCOUNT_KEY_REVOKED = "go_account_key.revoked"
    PROPOSAL_MADE = "proposal.made"
    PROPOSAL_ENDED = "proposal.ended"
    BALANCE_CHANGED = "balance.changed"
    ACCOUNT_INTENT_CHANGED = "account.intent_changed"
    THRESHOLD_CHANGED = "threshold.changed"
    LOSS_LIMIT_CHANGED = "loss_limit.changed"
    STANDING_TOP_UP_CREATED = "standing_top_up.created"
    STANDING_TOP_UP_REVOKED = "standing_top_up.revoked"
    STANDING_TOP_UP_USED = "standing_top_up.used"
    PAUSE_STARTED = "pause.started"
    PAUSE_ENDED = "pause.ended"
    MEMBER_ADDED = "member.added"
    MEMBER_UPDATED = "member.updated"
    MEMBER_REMOVED = "member.removed"
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - a name of an event
    ENTERPRISE_UPDATED = "enterprise.updated"
    CLIENT_UPDATED = "client.updated"
    PARTNER_UPDATED = "partner.updated"
    PARTNER_CONFIGURED = "partner.configured"
    PARTNER_LICENCE_CHANGED = "partner_licence.changed"
    WEBHOOK_ENDPOINT_TEST = "webhook_endpoint.test"
    WEBHOOK_ENDPOINT_CHANGED = "webhook_endpoint.changed"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    WEBHOOK_ENDPOINT_RECOVERED = "webhook_endpoint.recovered"


SUBSCRIBABLE: Final = frozenset(EventType) - {EventType.WEBHOOK_ENDPOINT_TEST}
"""The types an endpoint can subscribe to. A test event goes to the tested endpoint, whatever its subscription."""

OPT_IN: Final = frozenset({EventType.BALANCE_CHANGED})
"""The types that an endpoint gets only if it names them. The SQL of webhooks has them, too."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for one enterprise. ``payload`` holds JSON values, none of another enterprise."""

    type: EventType
    enterprise_id: str
    subject_id: UUID
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event of the outbox, as this enterprise sees it. The owners of one event share its sequence."""

    id: UUID
    sequence: int
    enterprise_id: str
    type: EventType
    subject_id: UUID
    payload: dict[str, object]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a reader wants; None means all."""

    enterprise_id: str | None
    subject_id: UUID | None
    types: Sequence[EventType] | None
    created_on_or_after: datetime | None
    created_before: datetime | None
