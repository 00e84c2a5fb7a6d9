"""The route on which the second user decides. It is here because an allocation goes on with the decision."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import WritingMember
from clearwindow.allocations import approving, wire
from clearwindow.approvals.wire import DecisionRequest
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import NIL, parse_uuid

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["approvals"])


@router.put(
    "/clients/pending-approvals/{approval_id}",
    operation_id="v1ClientPendingApprovalPutRoute",
    summary="Approve or reject what waits for a second user",
    description=(
        "Another user of the enterprise than the one who asked approves; whoever asked may only reject, and so take"
        " it back. An approved allocation goes on as if it had not waited; a rejected one is released and its funds"
        " are available again. The same decision again, by the same user, changes nothing."
    ),
    response_model=wire.DecidedApproval,
    responses=may_answer(400, 401, 403, 404, 409),
    openapi_extra=takes_body(DecisionRequest),
)
async def decide(request: Request, member: WritingMember, approval_id: str) -> Response:
    body = await read_body(request, DecisionRequest)
    runtime, known, asked = request.app.state.runtime, parse_uuid(approval_id) or NIL, body.model
    outcome = await run_in_threadpool(approving.decide, runtime, member, known, asked.status, asked.notes)
    return json_response(wire.decided_approval(outcome), headers=replay_headers(replayed=outcome.replayed))
