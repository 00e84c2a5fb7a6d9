"""Settlements, disputes and due work as operators see them: everything, of everybody."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clearwindow.clock import wire_time
from clearwindow.disputes.values import Closure
from clearwindow.disputes.wire import DisputeWithClosureOutput, ExpectedTransfers
from clearwindow.http.filters import Flag, Many, Page, Texts, Uuids
from clearwindow.http.wire import LongText, RequestModel, WireModel, present
from clearwindow.settlements.filters import Statuses
from clearwindow.settlements.values import Settlement
from clearwindow.settlements.wire import SettlementOutput, settlement_fields
from clearwindow.transfers.wire import SettlementTransferOutput


class OperatorSettlementFilters(Page):
    settlement_ids: Uuids = None
    partner_ids: Uuids = None
    external_ids: Texts = None
    statuses: Statuses = None


class OperatorDisputeFilters(Page):
    dispute_ids: Uuids = None
    settlement_ids: Uuids = None
    settled_in_settlement_ids: Uuids = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    closed: Flag = None


class ClosureFilters(Page):
    dispute_ids: Uuids = None
    statuses: Many[Literal["pending_review", "approved", "rejected"]] = None


class CloseByOperatorRequest(RequestModel):
    """``adjustedTransfers``: our currency names, base units, + the client receives; empty: nothing moves."""

    adjusted_transfers: ExpectedTransfers
    notes: LongText


class ReviewRequest(RequestModel):
    decision: Literal["approved", "rejected"]
    notes: LongText | None = None


class RetryRequest(RequestModel):
    reason: LongText | None = None


class RejectRequest(RequestModel):
    reason: LongText = "rejected by an operator"


class OperatorSettlementOutput(SettlementOutput):
    """A settlement with its course: the stage it is in, its deadlines, and what the worker last met."""

    stage: Annotated[
        str, Field(description="dispute_window, top_up_window, onchain, failed, completed or rejected")
    ]
    dispute_deadline_at: str
    top_up_deadline_at: str
    due_at: str | None = None
    attempts: int
    last_error: str | None = None


class OperatorSettlementsAnswer(WireModel):
    settlements: list[OperatorSettlementOutput]


class OperatorSettlementAnswer(WireModel):
    settlement: OperatorSettlementOutput


class OperatorSettlementDetailAnswer(WireModel):
    settlement: OperatorSettlementOutput
    settlement_transfers: list[SettlementTransferOutput]
    settling_disputes: list[DisputeWithClosureOutput]
    settlement_disputes: list[DisputeWithClosureOutput]


class ClosureView(WireModel):
    id: str
    dispute_id: str
    partner_id: str
    status: str
    closed_by: str
    user_id: str
    notes: str
    adjusted_transfers: dict[str, str]
    reviewed_by: str | None = None
    review_notes: str | None = None
    reviewed_at: str | None = None
    created_at: str
    updated_at: str


class ClosureViewAnswer(WireModel):
    dispute_closure: ClosureView


class ClosuresAnswer(WireModel):
    dispute_closures: list[ClosureView]


class WorkItem(WireModel):
    """Something the worker will do: waiting for its time, due, or failing and tried again."""

    kind: str
    id: str
    stage: str
    status: Annotated[str, Field(description="waiting, due or failing")]
    due_at: str
    attempts: int
    last_error: str | None = None


class WorkAnswer(WireModel):
    work: list[WorkItem]


def operator_settlement(settlement: Settlement, *, disputed: bool) -> OperatorSettlementOutput:
    fields = settlement_fields(settlement, disputed=disputed) | present(
        stage=settlement.state.value,
        dispute_deadline_at=wire_time(settlement.dispute_deadline_at),
        top_up_deadline_at=wire_time(settlement.top_up_deadline_at),
        due_at=wire_time(settlement.due_at) if settlement.due_at else None,
        attempts=settlement.attempts,
        last_error=settlement.last_error,
    )
    return OperatorSettlementOutput.model_validate(fields)


def closure_view(closure: Closure) -> ClosureView:
    return ClosureView.model_validate(
        present(
            id=str(closure.id),
            dispute_id=str(closure.dispute_id),
            partner_id=str(closure.partner_id),
            status=closure.status,
            closed_by=closure.closed_by,
            user_id=closure.user_id,
            notes=closure.notes,
            adjusted_transfers=closure.adjusted_transfers,
            reviewed_by=closure.reviewed_by,
            review_notes=closure.review_notes,
            reviewed_at=wire_time(closure.reviewed_at) if closure.reviewed_at else None,
            created_at=wire_time(closure.created_at),
            updated_at=wire_time(closure.updated_at),
        )
    )
