"""Settlements of the network's API: the endpoint the product exists for, its signing helper, and the views."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.access.values import Member
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import TOTAL_COUNT_HEADER, counted_response, read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import parse_uuid
from clearwindow.runtime import Runtime
from clearwindow.settlements import filters, reading, staging, wire
from clearwindow.signing.wire import SigningPayload, signed_request, signing_payload

V1: Final = "/api/network/v1/enterprises/{enterprise_id}"
V2: Final = "/api/network/v2/enterprises/{enterprise_id}"
router: Final = APIRouter(tags=["settlements"])


@router.post(
    f"{V2}/partners/settlements",
    operation_id="v2PartnerSettlementsPostRoute",
    summary="Stage a settlement",
    response_model=wire.StagedSettlementAnswer,
    responses=may_answer(400, 401, 403, 409, 422, 500),
    openapi_extra=takes_body(wire.StageSettlementRequest),
)
async def stage_settlement(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """Stages one signed settlement for connected clients, who may dispute it until its window ends.

    In one transaction: the settlement and a transfer per amount are created; closed disputes of earlier
    settlements are assigned to it; what each connection may come to lose is held, or the request is refused
    naming every shortfall; the owners are notified; the finalisation is queued. The same request again gives the
    same answer, marked with ``Idempotent-Replayed``.
    """
    body = await read_body(request, wire.StageSettlementRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id})
    runtime: Runtime = request.app.state.runtime
    answer = await run_in_threadpool(staging.stage_settlement, runtime, member, body.model, signed)
    headers = replay_headers(replayed=answer.replayed)
    return Response(answer.body, media_type="application/json", headers=headers)


@router.get(
    f"{V1}/partners/settlements-signing",
    operation_id="v1PartnerSettlementSigningGetRoute",
    summary="The exact text to sign for a settlement",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 409, 500),
    openapi_extra=takes_body(wire.SettlementSigningRequest),
)
async def settlement_payload_of_get(request: Request, enterprise_id: str, member: ReadingMember) -> Response:
    """Takes the fields as a JSON body on the GET."""
    return await _payload(request, enterprise_id, member)


@router.post(
    f"{V1}/partners/settlements-signing",
    operation_id="v1PartnerSettlementsSigningPostRoute",
    summary="The exact text to sign for a settlement",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 409, 500),
    openapi_extra=takes_body(wire.SettlementSigningRequest),
)
async def settlement_payload_of_post(request: Request, enterprise_id: str, member: WritingMember) -> Response:
    """The same for clients that cannot send a body with a GET."""
    return await _payload(request, enterprise_id, member)


async def _payload(request: Request, enterprise_id: str, member: Member) -> Response:
    body = await read_body(request, wire.SettlementSigningRequest)
    await run_in_threadpool(staging.require_partner, request.app.state.runtime, member)
    return json_response(await run_in_threadpool(signing_payload, body, {"enterpriseId": enterprise_id}))


@router.get(
    f"{V1}/partners/settlements",
    operation_id="v1PartnerSettlementsGetRoute",
    summary="List the partner's settlements",
    response_model=wire.SettlementsAnswer,
    responses=may_answer(400, 401, 403, 500),
    openapi_extra=takes_filters(filters.PartnerSettlementFilters),
)
async def list_for_partner(request: Request, member: ReadingMember) -> Response:
    """The newest first."""
    given = await read_filters(request, filters.PartnerSettlementFilters)
    runtime: Runtime = request.app.state.runtime
    page = await run_in_threadpool(reading.list_for_partner, runtime, member, given.wanted())
    headers = {TOTAL_COUNT_HEADER: str(page.total)}
    return json_response(wire.SettlementsAnswer(settlements=page.items), headers=headers)


@router.get(
    f"{V1}/partners/settlements/{{settlement_id}}",
    operation_id="v1PartnerSettlementGetRoute",
    summary="One settlement of the partner, with its transfers",
    response_model=wire.SettlementAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(filters.PartnerTransferFilters),
)
async def get_for_partner(request: Request, settlement_id: str, member: ReadingMember) -> Response:
    """The page is one of transfers; disputes are given whole."""
    given = await read_filters(request, filters.PartnerTransferFilters)
    runtime: Runtime = request.app.state.runtime
    wanted = given.wanted()
    answer, total = await run_in_threadpool(
        reading.get_for_partner, runtime, member, parse_uuid(settlement_id), wanted
    )
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(total)})


@router.get(
    f"{V1}/clients/settlements",
    operation_id="v1ClientSettlementsGetRoute",
    summary="List the settlements on the client's connections",
    response_model=wire.ClientSettlementsAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(filters.ClientSettlementFilters),
)
async def list_for_client(request: Request, member: ReadingMember) -> Response:
    """The newest first; other clients' parts in them are left out."""
    given = await read_filters(request, filters.ClientSettlementFilters)
    runtime: Runtime = request.app.state.runtime
    page = await run_in_threadpool(reading.list_for_client, runtime, member, given.wanted())
    headers = {TOTAL_COUNT_HEADER: str(page.total)}
    return json_response(wire.ClientSettlementsAnswer(settlements=page.items), headers=headers)


@router.get(
    f"{V1}/clients/settlements/{{settlement_id}}",
    operation_id="v1ClientSettlementGetRoute",
    summary="One settlement, as far as it is the client's own",
    response_model=wire.ClientSettlementAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(filters.TransferFilters),
)
async def get_for_client(request: Request, settlement_id: str, member: ReadingMember) -> Response:
    """The page is one of transfers; disputes are given whole."""
    given = await read_filters(request, filters.TransferFilters)
    runtime: Runtime = request.app.state.runtime
    wanted = given.wanted()
    answer, total = await run_in_threadpool(
        reading.get_for_client, runtime, member, parse_uuid(settlement_id), wanted
    )
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(total)})


@router.get(
    f"{V1}/clients/settlementTransfers",
    operation_id="v1ClientSettlementTransfersGetRoute",
    summary="List the client's transfers in all settlements",
    response_model=wire.MaskedTransfersAnswer,
    responses=may_answer(400, 401, 403, 404, 500),
    openapi_extra=takes_filters(filters.ClientTransferFilters),
)
async def list_transfers_for_client(request: Request, member: ReadingMember) -> Response:
    """By when their settlements last changed, the newest first. Other parties are not named.

    What a closed dispute has adjusted is listed once a settlement has taken it over.
    """
    given = await read_filters(request, filters.ClientTransferFilters)
    runtime: Runtime = request.app.state.runtime
    page = await run_in_threadpool(reading.list_transfers_for_client, runtime, member, given.search())
    return counted_response(wire.MaskedTransfersAnswer(settlement_transfers=page.items), page.total)
