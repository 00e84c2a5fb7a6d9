"""Disputes and closures as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ClosureStatus(StrEnum):
    PENDING_REVIEW = "pending_review"
    APPROVED = "approved"
    REJECTED = "rejected"


class ClosedBy(StrEnum):
    CLIENT = "client"
    OPERATOR = "admin"


AUTO_APPROVAL = "auto-approval"
"""Who reviewed a closure that the partner's configuration approves by itself."""


@dataclass(frozen=True, slots=True)
class Dispute:
    id: UUID
    partner_id: UUID
    settlement_id: UUID
    connection_id: UUID
    user_id: str
    reason: str | None
    expected_transfers: dict[str, str]
    retracted: bool
    retracted_by: str | None
    retracted_at: datetime | None
    retracted_reason: str | None
    settled_in_settlement_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Closure:
    """How a dispute ended. ``adjusted_transfers``: our currency names, base units, + the client receives."""

    id: UUID
    partner_id: UUID
    dispute_id: UUID
    status: str
    closed_by: str
    user_id: str
    notes: str
    adjusted_transfers: dict[str, str]
    payload: str | None
    signature: str | None
    request_sha256: bytes
    reviewed_by: str | None
    review_notes: str | None
    reviewed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AssignedClosure:
    """An approved closure that a settlement takes over."""

    dispute_id: UUID
    closure_id: UUID
    connection_id: UUID
    disputed_settlement_id: UUID


@dataclass(frozen=True, slots=True)
class Objection:
    """A dispute that was not retracted, and who made its closure where that is approved."""

    dispute_id: UUID
    connection_id: UUID
    closed_by: str | None


@dataclass(frozen=True, slots=True)
class DisputeFilter:
    """What a list of disputes shows; ``own_connection_ids`` limits a client to its own."""

    partner_ids: Sequence[UUID] | None = None
    own_connection_ids: Sequence[UUID] | None = None
    connection_ids: Sequence[UUID] | None = None
    dispute_ids: Sequence[UUID] | None = None
    settlement_ids: Sequence[UUID] | None = None
    settled_in_settlement_ids: Sequence[UUID] | None = None
    closure_ids: Sequence[UUID] | None = None
    client_ids: Sequence[UUID] | None = None
    settlement_external_ids: Sequence[str] | None = None
    settled_in_settlement_external_ids: Sequence[str] | None = None
    closed: bool | None = None
    show_retracted: bool = True
    limit: int = 100
    offset: int = 0
