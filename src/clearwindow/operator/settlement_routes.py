"""Routes about settlements, disputes and due work."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.disputes import closing
from clearwindow.disputes.values import Closure, ClosureStatus
from clearwindow.disputes.wire import DisputesAnswer
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import TOTAL_COUNT_HEADER, Page, read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import parse_uuid
from clearwindow.operator import overview, settlement_acts
from clearwindow.operator import settlement_wire as wire
from clearwindow.runtime import Runtime
from clearwindow.settlements.filters import TransferFilters

router: Final = APIRouter(tags=["operator: settlements"])


@router.get(
    "/settlements",
    summary="All settlements, the newest first",
    response_model=wire.OperatorSettlementsAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.OperatorSettlementFilters),
)
async def list_settlements(request: Request) -> Response:
    filters = await read_filters(request, wire.OperatorSettlementFilters)
    page = await run_in_threadpool(overview.list_settlements, _runtime(request), filters)
    answer = wire.OperatorSettlementsAnswer(settlements=page.items)
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(page.total)})


@router.get(
    "/settlements/{settlement_id}",
    summary="One settlement with its transfers and disputes",
    response_model=wire.OperatorSettlementDetailAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_filters(TransferFilters),
)
async def get_settlement(request: Request, settlement_id: str) -> Response:
    """The page is one of transfers; disputes are given whole."""
    filters = await read_filters(request, TransferFilters)
    answer, total = await run_in_threadpool(
        overview.get_settlement, _runtime(request), parse_uuid(settlement_id), filters.wanted()
    )
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(total)})


@router.post(
    "/settlements/{settlement_id}/retry",
    summary="Try a failed settlement again at once",
    response_model=wire.OperatorSettlementAnswer,
    responses=may_answer(400, 401, 404, 409),
    openapi_extra=takes_body(wire.RetryRequest, required=False),
)
async def retry_settlement(request: Request, settlement_id: str, operator: ActingOperator) -> Response:
    body = await read_body(request, wire.RetryRequest, optional=True)
    settlement = await run_in_threadpool(
        settlement_acts.retry, _runtime(request), operator, parse_uuid(settlement_id), body.model.reason
    )
    return json_response(await run_in_threadpool(overview.shown, _runtime(request), settlement))


@router.post(
    "/settlements/{settlement_id}/reject",
    summary="End a settlement without executing it",
    response_model=wire.OperatorSettlementAnswer,
    responses=may_answer(400, 401, 404, 409),
    openapi_extra=takes_body(wire.RejectRequest, required=False),
)
async def reject_settlement(request: Request, settlement_id: str, operator: ActingOperator) -> Response:
    """Releases all that it holds. Refused while it is disputed or carries out closed disputes.

    On chain it is refused, too, once the chain has a transaction of it that it has not given up.
    """
    body = await read_body(request, wire.RejectRequest, optional=True)
    settlement = await run_in_threadpool(
        settlement_acts.reject, _runtime(request), operator, parse_uuid(settlement_id), body.model.reason
    )
    return json_response(await run_in_threadpool(overview.shown, _runtime(request), settlement))


@router.get(
    "/disputes",
    summary="All disputes, the newest first",
    response_model=DisputesAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.OperatorDisputeFilters),
)
async def list_disputes(request: Request) -> Response:
    filters = await read_filters(request, wire.OperatorDisputeFilters)
    page = await run_in_threadpool(overview.list_disputes, _runtime(request), filters)
    return json_response(DisputesAnswer(disputes=page.items), headers={TOTAL_COUNT_HEADER: str(page.total)})


@router.post(
    "/disputes/{dispute_id}/close",
    summary="Close a dispute with adjusted transfers",
    response_model=wire.ClosureViewAnswer,
    responses=may_answer(400, 401, 404, 409, 422),
    openapi_extra=takes_body(wire.CloseByOperatorRequest),
)
async def close_dispute(request: Request, dispute_id: str, operator: ActingOperator) -> Response:
    """After the dispute window. Another operator reviews the closure before it counts."""
    body = await read_body(request, wire.CloseByOperatorRequest)
    adjusted, notes = body.model.adjusted_transfers, body.model.notes
    closure, replayed = await run_in_threadpool(
        closing.close_by_operator, _runtime(request), operator, parse_uuid(dispute_id), adjusted, notes
    )
    return _closure_response(closure, replayed=replayed)


@router.get(
    "/dispute-closures",
    summary="All dispute closures, the newest first",
    response_model=wire.ClosuresAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.ClosureFilters),
)
async def list_closures(request: Request) -> Response:
    filters = await read_filters(request, wire.ClosureFilters)
    page = await run_in_threadpool(overview.list_closures, _runtime(request), filters)
    answer = wire.ClosuresAnswer(dispute_closures=[wire.closure_view(closure) for closure in page.items])
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(page.total)})


@router.post(
    "/dispute-closures/{closure_id}/review",
    summary="Approve or reject a dispute closure",
    response_model=wire.ClosureViewAnswer,
    responses=may_answer(400, 401, 403, 404, 409, 422),
    openapi_extra=takes_body(wire.ReviewRequest),
)
async def review_closure(request: Request, closure_id: str, operator: ActingOperator) -> Response:
    """By another operator than the one who made it."""
    body = await read_body(request, wire.ReviewRequest)
    decision, notes = ClosureStatus(body.model.decision), body.model.notes
    closure, replayed = await run_in_threadpool(
        closing.review, _runtime(request), operator, parse_uuid(closure_id), decision, notes
    )
    return _closure_response(closure, replayed=replayed)


@router.get(
    "/work",
    summary="What the worker will do: waiting, due and failing",
    response_model=wire.WorkAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(Page),
)
async def list_work(request: Request) -> Response:
    filters = await read_filters(request, Page)
    page = await run_in_threadpool(overview.list_work, _runtime(request), filters)
    return json_response(wire.WorkAnswer(work=page.items), headers={TOTAL_COUNT_HEADER: str(page.total)})


def _closure_response(closure: Closure, *, replayed: bool) -> Response:
    answer = wire.ClosureViewAnswer(dispute_closure=wire.closure_view(closure))
    return json_response(answer, headers=replay_headers(replayed=replayed))


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime
