"""Operators read settlements, disputes and due work, end settlements, close disputes, and review."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, OptionalJsonBody, ServerRuntime, counted, paged
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.act_schemas import PROPOSED, answered
from clearwindow.identity.acts import Asked, perform
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.identity.second_factor.guard import CODE_ERRORS, ApprovingOperator
from clearwindow.settlements import acts, operator_views
from clearwindow.settlements import operator_schemas as schemas
from clearwindow.settlements.disputes import closures
from clearwindow.settlements.disputes.models import ClosureStatus
from clearwindow.settlements.disputes.schemas import DisputesAnswer, disputes_answer
from clearwindow.settlements.onchain import operator_acts
from clearwindow.settlements.transfers.schemas import (
    SettlementTransfersAnswer,
    TransferFilters,
    WholeSettlementFilters,
    settlement_transfers_answer,
)

router: Final = operator_router("settlements")


@router.get(
    "/settlements",
    summary="List all settlements, newest first",
)
def list_settlements(
    runtime: ServerRuntime, filters: Filters[schemas.OperatorSettlementFilters]
) -> Answer[schemas.OperatorSettlementsAnswer]:
    page = operator_views.list_settlements(runtime, filters.to_model())
    return paged(schemas.operator_settlements_answer(page.items), page, filters)


@router.get(
    "/settlements/{settlement_id}",
    summary="Get one settlement with its transfers and disputes",
    responses=may_raise("settlement_not_found"),
)
def get_settlement(
    runtime: ServerRuntime, settlement_id: str, filters: Filters[TransferFilters]
) -> Answer[schemas.OperatorSettlementDetailAnswer]:
    """The page has transfers. All disputes are in every page."""
    detail = operator_views.get_settlement(runtime, parse_uuid(settlement_id), filters.to_model())
    return counted(schemas.operator_detail_answer(detail), detail.transfer_count)


@router.get(
    "/settlements/{settlement_id}/transfers",
    summary="List all transfers of one settlement, sorted by connection",
    responses=may_raise("settlement_not_found"),
)
def list_settlement_transfers(
    runtime: ServerRuntime, settlement_id: str, filters: Filters[WholeSettlementFilters]
) -> Answer[SettlementTransfersAnswer]:
    page, accounts = operator_views.list_transfers(
        runtime, parse_uuid(settlement_id), filters.to_model(), filters.slice
    )
    return paged(settlement_transfers_answer(page.items, accounts), page, filters)


@router.post(
    "/settlements/{settlement_id}/retry",
    summary="Try a failed settlement again at once",
    responses=may_raise("settlement_not_found", "settlement_state", ("paused", 422), "base_units_78_digits"),
)
def retry_settlement(
    runtime: ServerRuntime,
    settlement_id: str,
    operator: ActingOperator,
    body: OptionalJsonBody[schemas.RetryRequest],
) -> schemas.OperatorSettlementAnswer:
    settlement = operator_acts.retry(runtime, operator, parse_uuid(settlement_id), body.model.reason)
    return schemas.operator_settlement_answer(operator_views.with_disputed(runtime, settlement))


@router.post(
    "/settlements/{settlement_id}/reject",
    summary="End a settlement without executing it",
    responses=may_raise(
        "settlement_not_found",
        "settlement_state",
        "settlement_on_chain",
        *acts.REJECT_SETTLEMENT.errors,
        *CODE_ERRORS,
    )
    | PROPOSED,
)
def reject_settlement(
    runtime: ServerRuntime,
    settlement_id: str,
    body: OptionalJsonBody[schemas.RejectRequest],
    operator: ApprovingOperator,
) -> Answer[schemas.OperatorSettlementAnswer]:
    """Ends all of its own transfers and releases what they hold.

    If it is disputed or has taken dispute closures, two operators are needed: the first request is answered 202,
    and the same request by another operator carries it out. The transfers of the closures still run. An on-chain
    settlement is refused once the chain has a transaction of it that did not fail.
    """
    known = parse_uuid(settlement_id)
    done = perform(runtime, operator, acts.REJECT_SETTLEMENT, Asked(str(known or NIL), body.model.reason))
    return answered(
        done,
        lambda ended: schemas.operator_settlement_answer(operator_views.with_disputed(runtime, ended)),
    )


@router.get(
    "/disputes",
    summary="List all disputes, newest first",
)
def list_disputes(
    runtime: ServerRuntime, filters: Filters[schemas.OperatorDisputeFilters]
) -> Answer[DisputesAnswer]:
    page = operator_views.list_disputes(runtime, filters.to_model())
    return paged(disputes_answer(page.items), page, filters)


@router.post(
    "/disputes/{dispute_id}/close",
    summary="Close a dispute with adjusted transfers",
    responses=may_raise(
        "dispute_not_found",
        "currency_twice",
        "currency_unknown",
        "dispute_closed",
        "dispute_retracted",
        "dispute_window_open",
        "settlement_finalising",
        ("settlement_rejected", 422),
        "adjustment_out_of_reach",
        "reason_missing",
    ),
)
def close_dispute(
    runtime: ServerRuntime,
    dispute_id: str,
    operator: ActingOperator,
    body: JsonBody[schemas.CloseByOperatorRequest],
) -> Answer[schemas.ClosureViewAnswer]:
    """After the dispute window. The closure counts once another operator has approved it.

    If it gives the client more than it has claimed, the notes must say why. The reviewer sees both amounts.
    """
    adjusted, notes = body.model.adjusted_transfers, body.model.notes
    closure, replayed = closures.close_by_operator(runtime, operator, parse_uuid(dispute_id), adjusted, notes)
    return Answer(schemas.closure_answer(closure), headers=replay_headers(replayed=replayed))


@router.get(
    "/dispute-closures",
    summary="List all dispute closures, newest first",
)
def list_closures(
    runtime: ServerRuntime, filters: Filters[schemas.ClosureFilters]
) -> Answer[schemas.ClosuresAnswer]:
    page = operator_views.list_closures(runtime, filters.to_model())
    return paged(schemas.closures_answer(page.items), page, filters)


@router.post(
    "/dispute-closures/{closure_id}/review",
    summary="Approve or reject a dispute closure",
    responses=may_raise(
        "closure_not_found",
        "closure_reviewed",
        "four_eyes",
        "adjustment_not_covered",
        "adjustment_not_covered_by_counterparty",
        "adjustment_out_of_reach",
        ("settlement_rejected", 422),
        *CODE_ERRORS,
    ),
)
def review_closure(
    runtime: ServerRuntime, closure_id: str, body: JsonBody[schemas.ReviewRequest], operator: ApprovingOperator
) -> Answer[schemas.ClosureViewAnswer]:
    """Who closed the dispute cannot review the closure, nor who made a token with which its client acted on it.

    A program cannot review. An operator who has a second factor sends a code of it.
    """
    decision, notes = ClosureStatus(body.model.decision), body.model.notes
    closure, replayed = closures.review(runtime, operator, parse_uuid(closure_id), decision, notes)
    return Answer(schemas.closure_answer(closure), headers=replay_headers(replayed=replayed))


@router.post(
    "/dispute-closures/{closure_id}/cancel",
    summary="Cancel the transfers of a dispute closure that a settlement has taken",
    responses=may_raise(
        "closure_not_found",
        "closure_not_taken",
        "closure_settled",
        "cancellation_not_covered",
        "settlement_state",
        *acts.CANCEL_CLOSURE.errors,
        *CODE_ERRORS,
    )
    | PROPOSED,
)
def cancel_closure(
    runtime: ServerRuntime,
    closure_id: str,
    body: OptionalJsonBody[schemas.CancelRequest],
    operator: ApprovingOperator,
) -> Answer[schemas.ClosureViewAnswer]:
    """Ends them as rejected in that settlement. What is still owed belongs in a later settlement.

    Two operators are needed: the first request is answered 202, and the same request by another one carries it out.
    """
    known = parse_uuid(closure_id)
    done = perform(runtime, operator, acts.CANCEL_CLOSURE, Asked(str(known or NIL), body.model.reason))
    return answered(done, schemas.closure_answer)


@router.get(
    "/work",
    summary="List the steps that wait for the worker, are due, or are failing",
)
def list_work(runtime: ServerRuntime, filters: Filters[schemas.WorkFilters]) -> Answer[schemas.WorkAnswer]:
    page = operator_views.list_work(runtime, filters.to_model())
    return paged(schemas.work_answer(page.items), page, filters)
