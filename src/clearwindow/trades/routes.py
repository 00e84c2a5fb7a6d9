"""Trades of the network's API."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response
from clearwindow.runtime import Runtime
from clearwindow.signing.wire import SigningPayload, signing_payload
from clearwindow.trades import service, wire

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["trades"])


@router.get(
    "/partners/trades/signing",
    operation_id="v1PartnerTradesSigningGetRoute",
    summary="The exact text to sign for a trade",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 500),
    openapi_extra=takes_body(wire.TradeToSign),
)
async def trade_to_sign(request: Request, enterprise_id: str, member: ReadingMember) -> Response:
    """Takes the trade, or the correction of an earlier one, as a JSON body on the GET. Nothing is recorded."""
    body = await read_body(request, wire.TradeToSign)
    runtime: Runtime = request.app.state.runtime
    await run_in_threadpool(service.require_reportable, runtime, member, body.model.trade)
    return json_response(await run_in_threadpool(signing_payload, body, {"enterpriseId": enterprise_id}))
