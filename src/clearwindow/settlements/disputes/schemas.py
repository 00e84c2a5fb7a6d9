"""Disputes and closures on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field

from clearwindow.clock import wire_time
from clearwindow.disputes.values import Closure, Dispute
from clearwindow.http.wire import LongText, ShortText, WireModel, present
from clearwindow.ids import WireUuid
from clearwindow.money import SignedBaseUnits
from clearwindow.signing.wire import Signed
from clearwindow.transfers.wire import DisputedTransferOutput

MAX_CURRENCIES = 1_000
ExpectedTransfers = Annotated[dict[ShortText, SignedBaseUnits], Field(max_length=MAX_CURRENCIES)]


class RaiseDisputeRequest(Signed):
    """A client's objection. ``expectedTransfers``: base units, + the client receives, - it sends; may be empty."""

    connection_id: WireUuid
    reason: LongText | None = None
    expected_transfers: ExpectedTransfers
    settlement_id: WireUuid | None = None


class UpdateDisputeRequest(Signed):
    """Retracts a dispute, takes a retraction back, or changes what is expected; inside the window only."""

    connection_id: WireUuid
    retracted: bool
    reason: LongText | None = None
    expected_transfers: ExpectedTransfers | None = None
    dispute_id: WireUuid | None = None


class CloseDisputeRequest(Signed):
    """The client withdraws its objection after the window: the original transfers stand."""

    notes: LongText
    dispute_id: WireUuid | None = None


class DisputeOutput(WireModel):
    id: str
    created_at: str
    updated_at: str
    connection_id: str
    disputed_settlement_id: str
    user_id: str
    expected_transfers: dict[str, str]
    retracted: bool
    settled_in_settlement_id: str | None = None
    reason: str | None = None
    retracted_by: str | None = None
    retracted_at: str | None = None
    dispute_closure_id: str | None = None
    retracted_reason: str | None = None


class DisputeClosureOutput(WireModel):
    """A closure with the transfers it made, which exist once it is approved."""

    id: str
    closed_by: str
    user_id: str
    notes: str
    adjusted_settlement_transfers: list[DisputedTransferOutput]
    created_at: str
    status: str
    adjusted_transfers: dict[str, str]
    reviewed_by: str | None = None
    review_notes: str | None = None


class DisputeWithClosureOutput(DisputeOutput):
    dispute_closure: DisputeClosureOutput | None = None


class DisputeAnswer(WireModel):
    dispute: DisputeOutput


class DisputesAnswer(WireModel):
    disputes: list[DisputeWithClosureOutput]


class ClosureOutput(WireModel):
    """A closure as the one who made it gets it. Times are milliseconds since 1970: the contract's form here."""

    id: str
    created_at: int
    updated_at: int
    closed_by: str
    user_id: str
    notes: str
    payload: str | None = None
    signature: str | None = None
    status: str
    reviewed_by: str | None = None
    review_notes: str | None = None
    adjusted_transfers: dict[str, str]


class ClosureAnswer(WireModel):
    dispute_closure: ClosureOutput


def dispute_fields(dispute: Dispute, closure: Closure | None) -> dict[str, object]:
    return present(
        id=str(dispute.id),
        created_at=wire_time(dispute.created_at),
        updated_at=wire_time(dispute.updated_at),
        connection_id=str(dispute.connection_id),
        disputed_settlement_id=str(dispute.settlement_id),
        user_id=dispute.user_id,
        expected_transfers=dispute.expected_transfers,
        retracted=dispute.retracted,
        settled_in_settlement_id=_text(dispute.settled_in_settlement_id),
        reason=dispute.reason,
        retracted_by=dispute.retracted_by,
        retracted_at=wire_time(dispute.retracted_at) if dispute.retracted_at else None,
        dispute_closure_id=_text(closure.id if closure else None),
        retracted_reason=dispute.retracted_reason,
    )


def dispute_output(dispute: Dispute, closure: Closure | None) -> DisputeOutput:
    return DisputeOutput.model_validate(dispute_fields(dispute, closure))


def dispute_with_closure(
    dispute: Dispute, closure: Closure | None, transfers: Sequence[DisputedTransferOutput]
) -> DisputeWithClosureOutput:
    output = None
    if closure is not None:
        output = DisputeClosureOutput.model_validate(
            present(
                id=str(closure.id),
                closed_by=closure.closed_by,
                user_id=closure.user_id,
                notes=closure.notes,
                adjusted_settlement_transfers=list(transfers),
                created_at=wire_time(closure.created_at),
                status=closure.status,
                adjusted_transfers=closure.adjusted_transfers,
                reviewed_by=closure.reviewed_by,
                review_notes=closure.review_notes,
            )
        )
    fields: Mapping[str, object] = dispute_fields(dispute, closure) | present(dispute_closure=output)
    return DisputeWithClosureOutput.model_validate(fields)


def closure_output(closure: Closure) -> ClosureOutput:
    return ClosureOutput.model_validate(
        present(
            id=str(closure.id),
            created_at=int(closure.created_at.timestamp() * 1000),
            updated_at=int(closure.updated_at.timestamp() * 1000),
            closed_by=closure.closed_by,
            user_id=closure.user_id,
            notes=closure.notes,
            payload=closure.payload,
            signature=closure.signature,
            status=closure.status,
            reviewed_by=closure.reviewed_by,
            review_notes=closure.review_notes,
            adjusted_transfers=closure.adjusted_transfers,
        )
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
