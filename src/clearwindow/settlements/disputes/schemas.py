"""Disputes and closures on the wire, and the filters of their lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from pydantic import Field

from clearwindow.api.filters import CreatedPage, Flag, Texts, Uuids
from clearwindow.api.schema import LongText, Omittable, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireUuid
from clearwindow.core.money import SignedBaseUnits
from clearwindow.core.text import present
from clearwindow.settlements.disputes.models import (
    Closure,
    Dispute,
    DisputeChange,
    DisputeDetail,
    DisputeFilter,
    DisputeResult,
    NewDispute,
)
from clearwindow.settlements.transfers.schemas import DisputedTransferOutput, disputed_transfer
from clearwindow.signing.schemas import Signed

MAX_CURRENCIES = 1_000
ExpectedTransfers = Annotated[dict[ShortText, SignedBaseUnits], Field(max_length=MAX_CURRENCIES)]


class RaiseDisputeRequest(Signed):
    """A client's dispute. ``expectedTransfers``: base units, + the client receives, - it sends; may be empty."""

    connection_id: WireUuid
    reason: Omittable[LongText] = None
    expected_transfers: ExpectedTransfers
    settlement_id: Omittable[WireUuid] = None

    def to_model(self) -> NewDispute:
        return NewDispute(self.connection_id, self.reason, self.expected_transfers)


class UpdateDisputeRequest(Signed):
    """Retracts a dispute, reverses a retraction, or changes the expected transfers. Inside the window only."""

    connection_id: WireUuid
    retracted: bool
    reason: Omittable[LongText] = None
    expected_transfers: Omittable[ExpectedTransfers] = None
    dispute_id: Omittable[WireUuid] = None
    settlement_id: Omittable[WireUuid] = None

    def to_model(self) -> DisputeChange:
        return DisputeChange(self.connection_id, self.retracted, self.reason, self.expected_transfers)


class CloseDisputeRequest(Signed):
    """The client gives up its dispute after the window: the original transfers run."""

    notes: LongText
    dispute_id: Omittable[WireUuid] = None
    settlement_id: Omittable[WireUuid] = None


class ClientDisputeFilters(CreatedPage):
    settlement_ids: Uuids = None
    settled_in_settlement_ids: Uuids = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    closed: Flag = None
    dispute_ids: Uuids = None
    dispute_closure_ids: Uuids = None

    def to_model(self) -> DisputeFilter:
        return DisputeFilter(
            partner_ids=self.partner_ids,
            settlement_ids=self.settlement_ids,
            settled_in_settlement_ids=self.settled_in_settlement_ids,
            connection_ids=self.connection_ids,
            closed=self.closed,
            dispute_ids=self.dispute_ids,
            closure_ids=self.dispute_closure_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            part=self.slice,
        )


class PartnerDisputeFilters(ClientDisputeFilters):
    settlement_external_ids: Texts = None
    settled_in_settlement_external_ids: Texts = None
    show_retracted: Flag = None
    client_ids: Uuids = None

    def to_model(self) -> DisputeFilter:
        return replace(
            super().to_model(),
            client_ids=self.client_ids,
            settlement_external_ids=self.settlement_external_ids,
            settled_in_settlement_external_ids=self.settled_in_settlement_external_ids,
            show_retracted=bool(self.show_retracted),
        )


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
    """A closure with its transfers, which exist once it is approved."""

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
    """A closure as the answer to closing. The contract wants its times in milliseconds since 1970."""

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


def _dispute_fields(dispute: Dispute, closure: Closure | None) -> dict[str, object]:
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


def dispute_output(result: DisputeResult) -> DisputeOutput:
    return DisputeOutput.model_validate(_dispute_fields(result.dispute, result.closure))


def dispute_with_closure(detail: DisputeDetail) -> DisputeWithClosureOutput:
    output = None
    closure = detail.closure
    if closure is not None:
        output = DisputeClosureOutput.model_validate(
            present(
                id=str(closure.id),
                closed_by=closure.closed_by.value,
                user_id=closure.user_id,
                notes=closure.notes,
                adjusted_settlement_transfers=[disputed_transfer(one, detail.accounts) for one in detail.transfers],
                created_at=wire_time(closure.created_at),
                status=closure.status.value,
                adjusted_transfers=closure.adjusted_transfers,
                reviewed_by=closure.reviewed_by,
                review_notes=closure.review_notes,
            )
        )
    fields = _dispute_fields(detail.dispute, closure) | present(dispute_closure=output)
    return DisputeWithClosureOutput.model_validate(fields)


def disputes_answer(details: Sequence[DisputeDetail]) -> DisputesAnswer:
    return DisputesAnswer(disputes=[dispute_with_closure(detail) for detail in details])


def closure_output(closure: Closure) -> ClosureOutput:
    return ClosureOutput.model_validate(
        present(
            id=str(closure.id),
            created_at=int(closure.created_at.timestamp() * 1000),
            updated_at=int(closure.updated_at.timestamp() * 1000),
            closed_by=closure.closed_by.value,
            user_id=closure.user_id,
            notes=closure.notes,
            payload=closure.payload,
            signature=closure.signature,
            status=closure.status.value,
            reviewed_by=closure.reviewed_by,
            review_notes=closure.review_notes,
            adjusted_transfers=closure.adjusted_transfers,
        )
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
