"""Approvals and thresholds as the rest of the house sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.ids import NIL


class ApprovalKind(StrEnum):
    """What waits: an allocation above the threshold, or a threshold that is raised or taken away."""

    ALLOCATION = "allocation"
    THRESHOLD = "threshold"


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Change(StrEnum):
    """What becomes of a threshold that somebody wants."""

    NONE = "none"
    AT_ONCE = "at_once"
    AFTER_APPROVAL = "after_approval"


@dataclass(frozen=True, slots=True)
class Wish:
    """What one user wants and another one decides, in our currency name and base units.

    ``quantity`` is the allocation's, or the threshold that is wanted: None takes it away. ``threshold`` is the one
    that stood when it was asked for.
    """

    kind: ApprovalKind
    currency: str
    quantity: int | None
    threshold: int
    partner_id: UUID = NIL
    allocation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A ``Wish`` with its course."""

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


@dataclass(frozen=True, slots=True)
class Decided:
    """An approval with its decision; ``replayed`` where the same user had decided the same before."""

    approval: Approval
    replayed: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """All thresholds of an enterprise after a change, and what of the change waits for another user."""

    thresholds: Mapping[str, int]
    waiting: Sequence[Approval]


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Which approvals of an enterprise a list shows; None leaves a question open."""

    enterprise_id: str
    ids: list[UUID] | None = None
    kinds: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    currencies: list[str] | None = None
    allocation_ids: list[UUID] | None = None
