"""Disputes of the network's API: a client raises, retracts and closes them; both sides list them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.disputes import closing, listing, service, wire
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import parse_uuid
from clearwindow.runtime import Runtime
from clearwindow.signing.wire import signed_request

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["disputes"])
_ERRORS: Final = may_answer(400, 401, 403, 404, 409, 422, 500)


@router.post(
    "/clients/settlements/{settlement_id}/disputes",
    operation_id="createClientSettlementDispute",
    summary="Raise a dispute",
    response_model=wire.DisputeAnswer,
    responses=_ERRORS,
    openapi_extra=takes_body(wire.RaiseDisputeRequest),
)
async def raise_dispute(
    request: Request, enterprise_id: str, settlement_id: str, member: WritingMember
) -> Response:
    """Objects to one settlement on one connection, inside its dispute window."""
    body = await read_body(request, wire.RaiseDisputeRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id, "settlementId": settlement_id})
    runtime: Runtime = request.app.state.runtime
    dispute, replayed = await run_in_threadpool(
        service.raise_dispute, runtime, member, parse_uuid(settlement_id), body.model, signed
    )
    return json_response(wire.DisputeAnswer(dispute=dispute), headers=replay_headers(replayed=replayed))


@router.put(
    "/clients/settlements/disputes/{dispute_id}",
    operation_id="updateClientSettlementDispute",
    summary="Retract a dispute, or take the retraction back",
    response_model=wire.DisputeAnswer,
    responses=_ERRORS,
    openapi_extra=takes_body(wire.UpdateDisputeRequest),
)
async def update_dispute(request: Request, enterprise_id: str, dispute_id: str, member: WritingMember) -> Response:
    """Inside the dispute window only; a retracted dispute lets the transfers run as normal."""
    body = await read_body(request, wire.UpdateDisputeRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id, "disputeId": dispute_id})
    runtime: Runtime = request.app.state.runtime
    dispute, replayed = await run_in_threadpool(
        service.update_dispute, runtime, member, parse_uuid(dispute_id), body.model, signed
    )
    return json_response(wire.DisputeAnswer(dispute=dispute), headers=replay_headers(replayed=replayed))


@router.post(
    "/clients/settlements/disputes/{dispute_id}/close",
    operation_id="V1ClientSettlementDisputeClosurePostRoute",
    summary="Close a dispute that was wrong",
    response_model=wire.ClosureAnswer,
    responses=_ERRORS,
    openapi_extra=takes_body(wire.CloseDisputeRequest),
)
async def close_dispute(request: Request, enterprise_id: str, dispute_id: str, member: WritingMember) -> Response:
    """After the window: the original transfers stand and run with the partner's next settlement, once reviewed."""
    body = await read_body(request, wire.CloseDisputeRequest)
    signed = signed_request(body, {"enterpriseId": enterprise_id, "disputeId": dispute_id})
    runtime: Runtime = request.app.state.runtime
    closure, replayed = await run_in_threadpool(
        closing.close_by_client, runtime, member, parse_uuid(dispute_id), body.model, signed
    )
    return json_response(wire.ClosureAnswer(dispute_closure=closure), headers=replay_headers(replayed=replayed))


@router.get(
    "/clients/settlement/disputes",
    operation_id="listClientSettlementDisputes",
    summary="List the client's disputes",
    response_model=wire.DisputesAnswer,
    responses=_ERRORS,
    openapi_extra=takes_filters(listing.ClientDisputeFilters),
)
async def list_for_client(request: Request, member: ReadingMember) -> Response:
    """Retracted ones too, each with its closure where it has one."""
    filters = await read_filters(request, listing.ClientDisputeFilters)
    runtime: Runtime = request.app.state.runtime
    found = await run_in_threadpool(listing.list_for_client, runtime, member, filters)
    return listing.page_response(found)


@router.get(
    "/partners/settlement/disputes",
    operation_id="listPartnerSettlementDisputes",
    summary="List the disputes of the partner's settlements",
    response_model=wire.DisputesAnswer,
    responses=_ERRORS,
    openapi_extra=takes_filters(listing.PartnerDisputeFilters),
)
async def list_for_partner(request: Request, member: ReadingMember) -> Response:
    """Retracted ones only with ``showRetracted``."""
    filters = await read_filters(request, listing.PartnerDisputeFilters)
    runtime: Runtime = request.app.state.runtime
    found = await run_in_threadpool(listing.list_for_partner, runtime, member, filters)
    return listing.page_response(found)
