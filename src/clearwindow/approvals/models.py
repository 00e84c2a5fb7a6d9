"""Approvals and thresholds as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.core.ids import NIL


class ApprovalKind(StrEnum):
    """What an approval is about: an allocation above a threshold, or a threshold to be raised or removed.

    A threshold has the same kind as the approval that raises it.
    """

    ALLOCATION = "allocation"
    THRESHOLD = "threshold"
    """Of one allocation."""
    DAILY_THRESHOLD = "daily_threshold"
    """Of the allocations of 24 hours to one partner that nobody approved."""
    CUSTODIAN_LIMIT = "custodian_limit"
    """Of what a custodian key signs on one UTC day. Beyond it nothing is signed."""


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Change(StrEnum):
    """When a requested threshold takes effect."""

    NONE = "none"
    AT_ONCE = "at_once"
    AFTER_APPROVAL = "after_approval"


@dataclass(frozen=True, slots=True)
class Threshold:
    """More of the currency than ``quantity``, in base units, needs a second user."""

    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class RequestedApproval:
    """What one user requests and another user decides, in our currency name and base units.

    ``quantity``: of the allocation, or the new threshold; None removes the threshold. ``threshold``: the threshold
    at the time of the request. ``day_quantity``: if an allocation waits because of the daily threshold, the sum
    that exceeds it.
    """

    kind: ApprovalKind
    currency: str
    quantity: int | None
    threshold: int
    partner_id: UUID = NIL
    allocation_id: UUID | None = None
    day_quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A recorded ``RequestedApproval`` with its status and its decision."""

    id: UUID
    enterprise_id: str
    partner_id: UUID
    kind: ApprovalKind
    allocation_id: UUID | None
    currency: str
    quantity: int | None
    threshold: int
    status: ApprovalStatus
    initiated_by: str
    decided_by: str | None
    decided_at: datetime | None
    notes: str | None
    created_at: datetime
    updated_at: datetime
    day_quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The threshold that an allocation exceeds. ``day_quantity``: the sum of the day, if it is the daily one."""

    threshold: int
    day_quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decided approval. ``replayed``: the same user had made the same decision before."""

    approval: Approval
    replayed: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """All thresholds of an enterprise after a change, and the changes that wait for another user.

    ``replayed``: the same signed request had made the change before.
    """

    thresholds: Mapping[str, int]
    waiting: Sequence[Approval]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Which approvals of an enterprise a list has. A filter that is None selects all."""

    enterprise_id: str
    ids: list[UUID] | None = None
    kinds: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    currencies: list[str] | None = None
    allocation_ids: list[UUID] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
