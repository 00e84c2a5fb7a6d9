"""Allocations as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class AllocationType(StrEnum):
    """Which way the funds go: to the network account, or back from it."""

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"


class AllocationStatus(StrEnum):
    RESERVED = "reserved"
    CLEARED = "cleared"
    RELEASED = "released"


class Refusal(StrEnum):
    """Why an allocation was released; the name is stable, for programs."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CONNECTION_INACTIVE = "connection_inactive"
    CONNECTION_NOT_INITIALIZED = "connection_not_initialized"
    CLIENT_INACTIVE = "client_inactive"
    PARTNER_INACTIVE = "partner_inactive"
    PARTNER_REFUSED = "partner_refused"
    APPROVAL_REJECTED = "approval_rejected"


class PolicyResult(StrEnum):
    """How the policy of the client's enterprise ended for an allocation."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class AskedAllocation:
    """What a client asks for, in our currency name and base units."""

    type: AllocationType
    connection_id: UUID
    currency: str
    quantity: int
    client_external_id: str
    notes: str | None


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation or deallocation, in our currency name and base units."""

    id: UUID
    partner_id: UUID
    client_id: UUID
    connection_id: UUID
    type: AllocationType
    status: AllocationStatus
    currency: str
    quantity: int
    client_external_id: str
    partner_external_id: str | None
    request_sha256: bytes
    initiated_by: str
    notes: str | None
    refusal: Refusal | None
    reason: str | None
    retriable: bool
    created_at: datetime
    updated_at: datetime
    evaluation_id: UUID | None
    pending_approval_id: UUID | None
    policy_result: PolicyResult | None

    @property
    def waits_for_approval(self) -> bool:
        """Whether nobody may carry it on until another user has decided."""
        return self.pending_approval_id is not None and self.policy_result is None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a partner says of an allocation, in its own currency name and unit; the ids are what it echoes."""

    type: AllocationType
    allocation_id: UUID
    currency: str
    quantity: str
    echoed: Mapping[str, str | None]
    partners_allocation_id: str
    status: AllocationStatus
    reject_reason: str | None


@dataclass(frozen=True, slots=True)
class Clear:
    """The partner takes the allocation."""

    partner_external_id: str | None


@dataclass(frozen=True, slots=True)
class Release:
    """The partner does not take it."""

    reason: str
    partner_external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The partner has heard of it and says later what becomes of it."""

    partner_external_id: str | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What came is no answer, and why."""

    why: str


Verdict = Clear | Release | Wait | Unanswered


@dataclass(frozen=True, slots=True)
class AllocationFilter:
    """Which allocations a list shows, and in what order; None leaves a question open."""

    client_id: UUID | None = None
    partner_id: UUID | None = None
    ids: list[UUID] | None = None
    types: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    currencies: list[str] | None = None
    connection_ids: list[UUID] | None = None
    partner_ids: list[UUID] | None = None
    client_ids: list[UUID] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    sort_field: str = "updatedAt"
    sort_direction: str = "DESC"
