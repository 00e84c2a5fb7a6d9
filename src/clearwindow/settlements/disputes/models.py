"""Disputes and closures; and the filters of their lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.postgres.paging import FIRST_PAGE, Slice
from clearwindow.settlements.transfers.models import TradingAccounts, Transfer


class ClosureStatus(StrEnum):
    PENDING_REVIEW = "pending_review"
    APPROVED = "approved"
    REJECTED = "rejected"


class ClosedBy(StrEnum):
    CLIENT = "client"
    OPERATOR = "admin"


AUTO_APPROVAL = "auto-approval"
"""The reviewer of a client's closure if the partner's configuration approves such closures without a review."""


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
    client_hands: tuple[UUID, ...] = ()
    """The operators who made the tokens with which the client acted on it."""


@dataclass(frozen=True, slots=True)
class Closure:
    """The end of a dispute. ``adjusted_transfers``: our currency names, base units, + the client receives."""

    id: UUID
    partner_id: UUID
    dispute_id: UUID
    status: ClosureStatus
    closed_by: ClosedBy
    user_id: str
    notes: str
    adjusted_transfers: dict[str, str]
    request_sha256: bytes
    reviewed_by: str | None
    review_notes: str | None
    reviewed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None = None
    """When its transfers ended in the settlement that had taken them."""
    payload: str | None = None
    """What the client signed: from the request's evidence, or from the closure itself if that is older."""
    signature: str | None = None
    token_made_by: UUID | None = None
    """The operator who made the token of the operator that closed."""
    claimed_transfers: dict[str, str] | None = None
    """What the client claimed when an operator closed the dispute."""


@dataclass(frozen=True, slots=True)
class AssignedClosure:
    """An approved closure whose transfers run with a new settlement."""

    dispute_id: UUID
    closure_id: UUID
    connection_id: UUID
    disputed_settlement_id: UUID


@dataclass(frozen=True, slots=True)
class NewDispute:
    """What a client objects to. ``expected_transfers``: base units by currency, + the client receives."""

    connection_id: UUID
    reason: str | None
    expected_transfers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RaisedWith:
    """What a dispute was raised with: updates may change both. ``expected_transfers`` have our currency names."""

    reason: str | None
    expected_transfers: dict[str, str]


@dataclass(frozen=True, slots=True)
class DisputeChange:
    """A retraction, its reversal, or another expectation. None: the expected transfers stay as they are."""

    connection_id: UUID
    retracted: bool
    reason: str | None
    expected_transfers: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class DisputeResult:
    """A dispute with its closure, and whether the request repeated an earlier one."""

    dispute: Dispute
    closure: Closure | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class DisputeDetail:
    """A dispute with its closure, the closure's transfers, and the accounts that the reader may know."""

    dispute: Dispute
    closure: Closure | None
    transfers: Sequence[Transfer]
    accounts: TradingAccounts


@dataclass(frozen=True, slots=True)
class ClosureFilter:
    """What a list of closures shows."""

    dispute_ids: Sequence[UUID] | None = None
    statuses: Sequence[str] | None = None
    partner_ids: Sequence[UUID] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    part: Slice = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class DisputeFilter:
    """What a list of disputes shows. ``own_connection_ids`` limits a client to its own."""

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
    retracted: bool | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    part: Slice = FIRST_PAGE
