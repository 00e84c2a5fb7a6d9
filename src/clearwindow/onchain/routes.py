"""On-chain settlement on the network's API. Protocol §7."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.onchain import depositing, initiating, wire
from clearwindow.runtime import Runtime
from clearwindow.signing.values import SignedRequest
from clearwindow.signing.wire import SigningPayload, signed_request, signing_payload

PREFIX: Final = "/api/network/v1/enterprises/{enterprise_id}/partners/settlements/onchain"
router: Final = APIRouter(prefix=PREFIX, tags=["on-chain settlement"])


@router.post(
    "",
    operation_id="v1PartnerOnChainSettlementPostRoute",
    summary="Initiate a settlement on chain",
    response_model=wire.OnchainSettlementAnswer,
    status_code=202,
    responses={**may_answer(400, 401, 403, 409, 500), 200: {"model": wire.OnchainSettlementAnswer}},
    openapi_extra=takes_body(wire.OnchainSettlementRequest),
)
async def initiate(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """Settles by transactions on the chain: what clients lose first, then what they gain.

    Amounts are base units whatever the partner's unit; currencies go by the partner's names. All losses are held at
    once, or the request is refused with 400 naming every shortfall, and nothing is written. Gains are paid once the
    deposits that the partner gives under the same externalId are confirmed and cover them. There is no dispute
    window. The same request again gives the same answer while the settlement is pending (202), puts a failed one
    back to pending, and gives the settlement as it ended afterwards (200); all are marked with
    ``Idempotent-Replayed``.
    """
    body = await read_body(request, wire.OnchainSettlementRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id})
    runtime: Runtime = request.app.state.runtime
    answer = await run_in_threadpool(initiating.initiate, runtime, member, body.model, signed)
    return Response(
        answer.body,
        status_code=answer.status,
        media_type="application/json",
        headers=replay_headers(replayed=answer.replayed),
    )


@router.post(
    "/deposits",
    operation_id="v1PartnerExtDepositsPostRoute",
    summary="Give the transactions that fund a settlement's gains",
    response_model=wire.DepositsAnswer,
    status_code=201,
    responses=may_answer(400, 401, 403, 404, 409, 500),
    openapi_extra=takes_body(wire.DepositsRequest),
)
async def give_deposits(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """Before or after the settlement itself: ``settlementId`` in the answer is the id that it has or will have.

    A transaction and currency given again for the same settlement is the same deposit; for another settlement it is
    refused with 409. What the chain confirms is held on the partner's Go Account for this settlement.
    """
    body = await read_body(request, wire.DepositsRequest)
    model = body.model
    # Without a nonce: the transactions themselves are given once.
    signed = SignedRequest(model.payload, model.signature, "", body.fields, {"enterpriseId": enterprise_id})
    runtime: Runtime = request.app.state.runtime
    given = await run_in_threadpool(depositing.give, runtime, member, model, signed)
    answer = wire.DepositsAnswer(deposits=[wire.deposit_output(deposit) for deposit in given.deposits])
    return json_response(answer, status=201, headers=replay_headers(replayed=given.replayed))


@router.get(
    "/deposits/signing",
    operation_id="v1PartnerExtDepositsSigningGetRoute",
    summary="The exact text to sign for deposits",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404, 409, 500),
    openapi_extra=takes_body(wire.DepositFields),
)
async def deposits_payload(request: Request, enterprise_id: str, member: ReadingMember) -> Response:
    """Takes the fields as a JSON body on the GET."""
    body = await read_body(request, wire.DepositFields)
    await run_in_threadpool(depositing.require_onchain_partner, request.app.state.runtime, member)
    return json_response(await run_in_threadpool(signing_payload, body, {"enterpriseId": enterprise_id}))
