"""The network's routes about thresholds and what waits for approval, beside the field's own contract.

The route that decides is with the allocations, whose course goes on from there.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.approvals import service, thresholds, wire
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import counted_response, read_filters
from clearwindow.http.wire import json_response
from clearwindow.ids import NIL, parse_uuid

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["approvals"])


@router.get(
    "/clients/approval-thresholds",
    operation_id="v1ClientApprovalThresholdsGetRoute",
    summary="Above which quantities allocations need a second user",
    description="By currency, in base units. They count for allocations to partners with allocation policies.",
    response_model=wire.Thresholds,
    responses=may_answer(401, 403),
)
async def read_thresholds(request: Request, member: ReadingMember) -> Response:
    found = await run_in_threadpool(thresholds.thresholds_of, request.app.state.runtime, member)
    return json_response(wire.thresholds_answer(found))


@router.put(
    "/clients/approval-thresholds",
    operation_id="v1ClientApprovalThresholdsPutRoute",
    summary="Set or take away thresholds",
    description=(
        "A new or lower threshold counts at once. A higher one, or null in its place, waits until another user of"
        " the enterprise approves it: the answer names what waits. Currencies that are not named keep theirs."
    ),
    response_model=wire.ChangedThresholds,
    responses=may_answer(400, 401, 403, 409),
    openapi_extra=takes_body(wire.ThresholdsRequest),
)
async def change_thresholds(request: Request, member: WritingMember) -> Response:
    body = await read_body(request, wire.ThresholdsRequest)
    asked = body.model.value()
    changed = await run_in_threadpool(thresholds.change, request.app.state.runtime, member, asked)
    return json_response(wire.changed_answer(changed))


@router.get(
    "/clients/pending-approvals",
    operation_id="v1ClientPendingApprovalsGetRoute",
    summary="List what waits for a second user, and what was decided; the newest first",
    description="Filter by `statuses=pending` for what still waits.",
    response_model=wire.PendingApprovalList,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.ApprovalFilters),
)
async def list_approvals(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.ApprovalFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime, wanted = request.app.state.runtime, filters.value(member.enterprise_id)
    found = await run_in_threadpool(service.approvals_of, runtime, member, wanted, **page)
    return counted_response(wire.pending_approval_list(found.items), found.total)


@router.get(
    "/clients/pending-approvals/{approval_id}",
    operation_id="v1ClientPendingApprovalGetRoute",
    summary="One thing that waits for a second user, or did",
    description="An allocation names it as `pendingApprovalId`.",
    response_model=wire.PendingApprovalAnswer,
    responses=may_answer(401, 403, 404),
)
async def read_approval(request: Request, member: ReadingMember, approval_id: str) -> Response:
    runtime, known = request.app.state.runtime, parse_uuid(approval_id) or NIL
    return json_response(
        wire.pending_approval_answer(await run_in_threadpool(service.approval_of, runtime, member, known))
    )
