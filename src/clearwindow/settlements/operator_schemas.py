"""Settlements, disputes and due work of the whole network, as operators see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearwindow.api.filters import (
    CreatedPage,
    CursorPage,
    Flag,
    Many,
    Moment,
    Texts,
    Uuids,
    require_range,
)
from clearwindow.api.schema import LongText, RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.settlements import rules
from clearwindow.settlements.disputes.models import Closure, ClosureFilter, DisputeFilter
from clearwindow.settlements.disputes.rules import beyond_claim
from clearwindow.settlements.disputes.schemas import (
    DisputeWithClosureOutput,
    ExpectedTransfers,
    dispute_with_closure,
)
from clearwindow.settlements.models import (
    Settlement,
    SettlementDetail,
    SettlementFilter,
    SettlementLine,
    SettlementState,
    WaitingSettlement,
    WorkFilter,
)
from clearwindow.settlements.schemas import SettlementOutput, Statuses, settlement_fields
from clearwindow.settlements.transfers.schemas import SettlementTransferOutput, settlement_transfer


class OperatorSettlementFilters(CreatedPage):
    settlement_ids: Uuids = None
    partner_ids: Uuids = None
    external_ids: Texts = None
    statuses: Statuses = None
    updated_on_or_after: Moment = None
    updated_before: Moment = None
    only_show_disputed: Flag = None

    @model_validator(mode="after")
    def _require_a_range_of_updates(self) -> Self:
        names = ("updatedOnOrAfter", "updatedBefore")
        require_range(self.updated_on_or_after, self.updated_before, names=names)
        return self

    def to_model(self) -> SettlementFilter:
        return SettlementFilter(
            settlement_ids=self.settlement_ids,
            partner_ids=self.partner_ids,
            external_ids=self.external_ids,
            states=rules.states_of(self.statuses),
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            updated_on_or_after=self.updated_on_or_after,
            updated_before=self.updated_before,
            only_disputed=bool(self.only_show_disputed),
            part=self.slice,
        )


class OperatorDisputeFilters(CreatedPage):
    dispute_ids: Uuids = None
    settlement_ids: Uuids = None
    settled_in_settlement_ids: Uuids = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    client_ids: Uuids = None
    closed: Flag = None
    retracted: Flag = None

    def to_model(self) -> DisputeFilter:
        return DisputeFilter(
            dispute_ids=self.dispute_ids,
            settlement_ids=self.settlement_ids,
            settled_in_settlement_ids=self.settled_in_settlement_ids,
            connection_ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            closed=self.closed,
            retracted=self.retracted,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            part=self.slice,
        )


class ClosureFilters(CreatedPage):
    dispute_ids: Uuids = None
    partner_ids: Uuids = None
    statuses: Many[Literal["pending_review", "approved", "rejected"]] = None

    def to_model(self) -> ClosureFilter:
        return ClosureFilter(
            self.dispute_ids,
            self.statuses,
            self.partner_ids,
            self.created_on_or_after,
            self.created_before,
            self.slice,
        )


class WorkFilters(CursorPage):
    """``dueBefore`` is exclusive, ``dueOnOrAfter`` inclusive."""

    partner_ids: Uuids = None
    stages: Many[Annotated[SettlementState, Field(strict=False)]] = None
    due_on_or_after: Moment = None
    due_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        require_range(self.due_on_or_after, self.due_before, names=("dueOnOrAfter", "dueBefore"))
        return self

    def to_model(self) -> WorkFilter:
        return WorkFilter(self.partner_ids, self.stages, self.due_on_or_after, self.due_before, self.slice)


class CloseByOperatorRequest(RequestModel):
    """``adjustedTransfers``: base units by our currency names, + the client receives. Empty: nothing moves."""

    adjusted_transfers: ExpectedTransfers
    notes: LongText


class ReviewRequest(RequestModel):
    decision: Literal["approved", "rejected"]
    notes: LongText | None = None


class RetryRequest(RequestModel):
    reason: LongText | None = None


class RejectRequest(RequestModel):
    reason: LongText = "rejected by an operator"


class CancelRequest(RequestModel):
    reason: LongText | None = None


class OperatorSettlementOutput(SettlementOutput):
    """A settlement with when its next step is due, and the last error of the worker."""

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
    claimed_transfers: Annotated[
        dict[str, str] | None, Field(description="What the client claimed when an operator closed the dispute.")
    ] = None
    beyond_claim: Annotated[
        list[str] | None, Field(description="The currencies in which the client gets more than it claimed.")
    ] = None
    reviewed_by: str | None = None
    review_notes: str | None = None
    reviewed_at: str | None = None
    cancelled_at: Annotated[
        str | None, Field(description="When its transfers ended in the settlement that had taken them.")
    ] = None
    created_at: str
    updated_at: str


class ClosureViewAnswer(WireModel):
    dispute_closure: ClosureView


class ClosuresAnswer(WireModel):
    dispute_closures: list[ClosureView]


class WorkItem(WireModel):
    """A step that the worker will take. A failing step is tried again."""

    kind: str
    id: str
    stage: str
    status: Annotated[str, Field(description="waiting, due, failing or paused")]
    due_at: str
    attempts: int
    last_error: str | None = None


class WorkAnswer(WireModel):
    work: list[WorkItem]


def operator_settlements_answer(lines: Sequence[SettlementLine]) -> OperatorSettlementsAnswer:
    shown = [_settlement(line.settlement, disputed=line.disputed) for line in lines]
    return OperatorSettlementsAnswer(settlements=shown)


def operator_settlement_answer(line: SettlementLine) -> OperatorSettlementAnswer:
    return OperatorSettlementAnswer(settlement=_settlement(line.settlement, disputed=line.disputed))


def operator_detail_answer(detail: SettlementDetail) -> OperatorSettlementDetailAnswer:
    return OperatorSettlementDetailAnswer(
        settlement=_settlement(detail.settlement, disputed=detail.disputed),
        settlement_transfers=[settlement_transfer(one, detail.accounts) for one in detail.transfers],
        settling_disputes=[dispute_with_closure(dispute) for dispute in detail.settling],
        settlement_disputes=[dispute_with_closure(dispute) for dispute in detail.raised],
    )


def _settlement(settlement: Settlement, *, disputed: bool) -> OperatorSettlementOutput:
    fields = settlement_fields(settlement, disputed=disputed) | present(
        stage=settlement.state.value,
        dispute_deadline_at=wire_time(settlement.dispute_deadline_at),
        top_up_deadline_at=wire_time(settlement.top_up_deadline_at),
        due_at=wire_time(settlement.due_at) if settlement.due_at else None,
        attempts=settlement.attempts,
        last_error=settlement.last_error,
    )
    return OperatorSettlementOutput.model_validate(fields)


def _closure_view(closure: Closure) -> ClosureView:
    return ClosureView.model_validate(
        present(
            id=str(closure.id),
            dispute_id=str(closure.dispute_id),
            partner_id=str(closure.partner_id),
            status=closure.status.value,
            closed_by=closure.closed_by.value,
            user_id=closure.user_id,
            notes=closure.notes,
            adjusted_transfers=closure.adjusted_transfers,
            claimed_transfers=closure.claimed_transfers,
            beyond_claim=_beyond_claim(closure),
            reviewed_by=closure.reviewed_by,
            review_notes=closure.review_notes,
            reviewed_at=wire_time(closure.reviewed_at) if closure.reviewed_at else None,
            cancelled_at=wire_time(closure.cancelled_at) if closure.cancelled_at else None,
            created_at=wire_time(closure.created_at),
            updated_at=wire_time(closure.updated_at),
        )
    )


def _beyond_claim(closure: Closure) -> list[str] | None:
    if closure.claimed_transfers is None:
        return None
    adjusted = {name: int(quantity) for name, quantity in closure.adjusted_transfers.items()}
    return beyond_claim(adjusted, closure.claimed_transfers)


def closure_answer(closure: Closure) -> ClosureViewAnswer:
    return ClosureViewAnswer(dispute_closure=_closure_view(closure))


def closures_answer(closures: Sequence[Closure]) -> ClosuresAnswer:
    return ClosuresAnswer(dispute_closures=[_closure_view(closure) for closure in closures])


def work_answer(waiting: Sequence[WaitingSettlement]) -> WorkAnswer:
    return WorkAnswer(
        work=[
            WorkItem(
                kind="settlement",
                id=str(one.settlement.id),
                stage=one.settlement.state.value,
                status=one.status,
                due_at=wire_time(one.due_at),
                attempts=one.settlement.attempts,
                last_error=one.settlement.last_error,
            )
            for one in waiting
        ]
    )
