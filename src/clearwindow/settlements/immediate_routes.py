"""Version 1 of the settlement endpoint: executed at once, for partners without a dispute window."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import WritingMember
from clearwindow.access.values import Member
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import Problem, may_answer, takes_body
from clearwindow.http.wire import json_response, present, replay_headers
from clearwindow.runtime import Runtime
from clearwindow.settlements import immediate, shortfalls, wire
from clearwindow.settlements.values import SettlementState
from clearwindow.signing.wire import signed_request

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["settlements"])
_NOT_COVERED: Final = 401
_ANSWERS: Final = may_answer(400, 403, 409, 500) | {
    _NOT_COVERED: {
        "model": wire.NotExecutedSettlementAnswer | Problem,
        "description": "No valid token or signature; or the settlement is recorded as failed, for want of funds.",
    }
}


@router.post(
    "/partners/settlements",
    operation_id="v1PartnerSettlementsPostRoute",
    summary="Settle at once",
    response_model=wire.ExecutedSettlementAnswer,
    responses=_ANSWERS,
    openapi_extra=takes_body(wire.SettleAtOnceRequest),
)
async def settle(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """Executes one signed settlement in the transaction that creates it, all of it or nothing.

    For partners without a dispute window. Where a connection or the partner's own account does not cover its part,
    the answer is 401 with the settlement as ``failed``, its reason, and every shortfall in ``details``: nothing has
    moved and nothing is held. The same request again tries it again; once it is completed, the same request gives
    the same answer, marked with ``Idempotent-Replayed``.
    """
    return await _settle(request, enterprise_id, member)


@router.post(
    "/partners/settlements/nonReconciled",
    operation_id="v1PartnerSettlementsNonReconciledPostRoute",
    summary="Settle at once (the former name)",
    response_model=wire.ExecutedSettlementAnswer,
    responses=_ANSWERS,
    openapi_extra=takes_body(wire.SettleAtOnceRequest),
    deprecated=True,
)
async def settle_non_reconciled(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """The same as ``POST …/partners/settlements``: a request sent to one may be repeated at the other."""
    return await _settle(request, enterprise_id, member)


async def _settle(request: Request, enterprise_id: str, member: Member) -> Response:
    body = await read_body(request, wire.SettleAtOnceRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id})
    runtime: Runtime = request.app.state.runtime
    outcome = await run_in_threadpool(immediate.settle_at_once, runtime, member, body.model, signed)
    headers = replay_headers(replayed=outcome.replayed)
    settlement = wire.settlement_output(outcome.settlement, disputed=False)
    if outcome.settlement.state is SettlementState.COMPLETED:
        return json_response(wire.ExecutedSettlementAnswer(settlement=settlement), headers=headers)
    rejected = outcome.settlement.state is SettlementState.REJECTED
    not_executed = wire.NotExecutedSettlementAnswer.model_validate(
        present(
            settlement=settlement,
            name="settlement_rejected" if rejected else "settlement_not_covered",
            request_id=member.request_id,
            details=None if rejected else _details(outcome),
        )
    )
    return json_response(not_executed, status=_NOT_COVERED, headers=headers)


def _details(outcome: immediate.Outcome) -> dict[str, object]:
    return {
        "shortfalls": list(outcome.connection_shortfalls),
        "shortfallCount": len(outcome.connection_shortfalls),
        "partnerShortfalls": shortfalls.of_partner(outcome.partner_gaps),
    }
