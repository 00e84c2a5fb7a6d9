"""Allocations as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.approvals.models import Approval
from clearwindow.ledger.models import BalanceKey
from clearwindow.network.models import Client, Connection, CurrencyMap, Partner


class AllocationType(StrEnum):
    """The direction of the funds: to the network account (allocation), or back from it (deallocation)."""

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"


class AllocationStatus(StrEnum):
    RESERVED = "reserved"
    CLEARED = "cleared"
    RELEASED = "released"


class Refusal(StrEnum):
    """Why an allocation was released. Programs may rely on these names."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CONNECTION_INACTIVE = "connection_inactive"
    CONNECTION_NOT_INITIALIZED = "connection_not_initialized"
    CLIENT_INACTIVE = "client_inactive"
    PARTNER_INACTIVE = "partner_inactive"
    PARTNER_REFUSED = "partner_refused"
    APPROVAL_REJECTED = "approval_rejected"
    PAUSED = "paused"


class PolicyResult(StrEnum):
    """What the policy of the client's enterprise decided about an allocation."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class RequestedAllocation:
    """What a client requests, in our currency name and base units."""

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
        """Whether another user must still decide before the allocation can continue."""
        return self.pending_approval_id is not None and self.policy_result is None


@dataclass(frozen=True, slots=True)
class SearchedAllocations:
    """Selects allocations of an operator's list. None means no restriction."""

    ids: list[UUID] | None
    types: list[str] | None
    statuses: list[str] | None
    currencies: list[str] | None
    connection_ids: list[UUID] | None
    partner_ids: list[UUID] | None
    client_ids: list[UUID] | None
    client_external_ids: list[str] | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class Parties:
    """The client and the partner of an allocation, the connection between them and the partner's currency names."""

    client: Client
    partner: Partner
    connection: Connection
    currencies: CurrencyMap

    def ends(self, kind: AllocationType, currency: str) -> tuple[BalanceKey, BalanceKey]:
        """Returns the balances that the funds leave and reach: (source, destination)."""
        go_account = BalanceKey(self.client.go_account_id, currency)
        network_account = BalanceKey(self.connection.network_account_id, currency)
        if kind is AllocationType.ALLOCATION:
            return go_account, network_account
        return network_account, go_account


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The record of a client's request.

    Attributes:
        replayed: whether an earlier, same request made the record.
        details: the numbers behind a shortage of funds.
        asked_now: whether this request asked the partner. Otherwise another request or the worker may be asking.
        may_ask: whether this request may ask the partner, if it has not answered.
    """

    allocation: Allocation
    replayed: bool
    details: Mapping[str, object] | None = None
    asked_now: bool = False
    may_ask: bool = True


@dataclass(frozen=True, slots=True)
class ApprovalOutcome:
    """A decided approval, with its allocation if it is about one.

    ``replayed``: the same user had made the same decision before.
    """

    approval: Approval
    allocation: Allocation | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A partner's own decision about an allocation, in its own currency name and unit.

    ``echoed``: the ids that the partner repeats from the question.
    """

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
    """The partner accepts the allocation."""

    partner_external_id: str | None


@dataclass(frozen=True, slots=True)
class Release:
    """The partner refuses the allocation."""

    reason: str
    partner_external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The partner has received the question and decides later."""

    partner_external_id: str | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The partner gave no valid answer."""

    why: str


Verdict = Clear | Release | Wait | Unanswered


@dataclass(frozen=True, slots=True)
class AllocationFilter:
    """Which allocations a list has, and in which order. A filter that is None selects all."""

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
    sort_direction: str = "ASC"
