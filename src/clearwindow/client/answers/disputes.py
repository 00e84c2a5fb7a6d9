"""Disputes and their closures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import BaseUnits, OpenText, Value

TransferStatus = Annotated[
    Literal[
        "pending",
        "pending_onchain",
        "onchain_initiated",
        "onchain_failed",
        "completed",
        "failed",
        "rejected",
        "disputed",
        "pending_settlement_assignment",
    ],
    OpenText,
]
ClosureStatus = Annotated[Literal["pending_review", "approved", "rejected"], OpenText]
ClosedBy = Annotated[Literal["client", "admin"], OpenText]


class DisputedTransfer(Value):
    """A transfer of a closure. A negative quantity moves from the destination to the source."""

    id: str
    source_trading_account_id: str
    source_network_account_id: str | None = None
    destination_trading_account_id: str
    destination_network_account_id: str
    dispute_closure_id: str
    currency: str
    quantity: BaseUnits
    status: TransferStatus
    created_at: AwareDatetime
    updated_at: AwareDatetime
    settlement_id: str | None = None


class ClosureTerms(Value):
    """The fields that all views of a closure share."""

    id: str
    closed_by: ClosedBy
    user_id: str
    notes: str
    status: ClosureStatus
    adjusted_transfers: dict[str, BaseUnits]
    reviewed_by: str | None = None
    review_notes: str | None = None


class DisputeClosure(ClosureTerms):
    """A closure of a dispute, with its transfers."""

    adjusted_settlement_transfers: tuple[DisputedTransfer, ...]
    created_at: AwareDatetime


class ClientDisputeClosure(ClosureTerms):
    """A closure as the client that made it sees it."""

    created_at: AwareDatetime
    updated_at: AwareDatetime
    payload: str | None = None
    signature: str | None = None


class OperatorDisputeClosure(ClosureTerms):
    """A closure as operators see it.

    Attributes:
        claimed_transfers: what the client claimed when an operator closed the dispute.
        beyond_claim: the currencies in which the closure gives the client more than that.
    """

    dispute_id: str
    partner_id: str
    claimed_transfers: dict[str, BaseUnits] | None = None
    beyond_claim: tuple[str, ...] = ()
    reviewed_at: AwareDatetime | None = None
    cancelled_at: AwareDatetime | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Dispute(Value):
    """A client's dispute. ``expected_transfers``: + the client receives, - it sends."""

    id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    connection_id: str
    disputed_settlement_id: str
    user_id: str
    expected_transfers: dict[str, BaseUnits]
    retracted: bool
    settled_in_settlement_id: str | None = None
    reason: str | None = None
    retracted_by: str | None = None
    retracted_at: AwareDatetime | None = None
    retracted_reason: str | None = None
    dispute_closure_id: str | None = None
    dispute_closure: DisputeClosure | None = None
