"""The network's routes about allocations and deallocations."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.access.values import Member
from clearwindow.allocations import deciding, reading, service, wire
from clearwindow.allocations.values import AllocationType, Decision
from clearwindow.http.bodies import Body, read_body
from clearwindow.http.docs import Problem, may_answer, takes_body, takes_filters
from clearwindow.http.filters import counted_response, read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import NIL, parse_uuid
from clearwindow.signing.wire import S, SigningPayload, signed_request, signing_payload

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["allocations"])

_UNFINISHED: Final = "Reserved, and the partner has not answered: send the same request again."


def _answers(unanswered: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """What a submitted request may come to beside a 200."""
    recorded: dict[int | str, dict[str, Any]] = {
        422: {"model": wire.RefusedAllocation, "description": "Released, and why."},
        500: {"model": unanswered | Problem, "description": _UNFINISHED},
    }
    return may_answer(400, 401, 403, 404) | recorded


@router.post(
    "/clients/connections/{connection_id}/allocations",
    operation_id="V1ClientAllocationsPostRoute",
    summary="Allocate funds to a partner, with a signed request",
    description="Reserves the funds of the client's Go Account and asks the partner. Its yes clears them to the "
    "connection, its no releases them (422, with the record). A partner that decides later leaves them reserved. "
    "Where it does not answer, they stay reserved and `retriable` (500, with the record): the same request again "
    "goes on with the same record.",
    response_model=wire.SubmittedAllocation,
    responses=_answers(wire.SubmittedAllocation),
    openapi_extra=takes_body(wire.AllocationRequest),
)
async def allocate(request: Request, member: WritingMember, connection_id: str) -> Response:
    """Moves funds from the client's Go Account to its network account at the partner.

    Refused with 422 and the released allocation where the funds do not suffice. The same ``clientExternalId``
    with the same request gives the same allocation.
    """
    return await _submit(request, member, connection_id, AllocationType.ALLOCATION)


@router.post(
    "/clients/connections/{connection_id}/deallocations",
    operation_id="V1ClientDeallocationsPostRoute",
    summary="Take funds back from a partner, with a signed request",
    description="The way back of an allocation: reserves the connection's funds, asks the partner, and clears them "
    "to the client's Go Account. The answers are those of an allocation. An inactive connection gives funds back.",
    response_model=wire.SubmittedDeallocation,
    responses=_answers(wire.SubmittedDeallocation),
    openapi_extra=takes_body(wire.AllocationRequest),
)
async def deallocate(request: Request, member: WritingMember, connection_id: str) -> Response:
    """Moves funds that no settlement holds back to the client's Go Account.

    Also from a connection that was stopped.
    """
    return await _submit(request, member, connection_id, AllocationType.DEALLOCATION)


async def _submit(request: Request, member: Member, connection_id: str, kind: AllocationType) -> Response:
    body = await read_body(request, wire.AllocationRequest)
    asked = body.model.value(kind, parse_uuid(connection_id) or NIL)
    signed = signed_request(body, _path_ids(member, connection_id))
    outcome = await run_in_threadpool(service.submit, request.app.state.runtime, member, asked, signed)
    headers = replay_headers(replayed=outcome.replayed)
    if wire.is_refused(outcome):
        return json_response(wire.refused(outcome, member.request_id), status=422, headers=headers)
    status = 500 if wire.is_unanswered(outcome) else 200
    return json_response(wire.submitted(outcome), status=status, headers=headers)


@router.put(
    "/partners/allocations",
    operation_id="v1PartnerAllocationsPutRoute",
    summary="Say what becomes of a reserved allocation, with a signed request",
    description="For a partner that decides later. `cleared` moves the reserved funds to the connection, "
    "`released` gives them back. Every id and the amount must be those of the allocation. The same decision again "
    "changes nothing; another one is refused.",
    response_model=wire.DecidedAllocation,
    responses=may_answer(400, 401, 403, 404, 409, 422),
    openapi_extra=takes_body(wire.AllocationDecisionRequest),
)
async def decide_allocation(request: Request, member: WritingMember) -> Response:
    body = await read_body(request, wire.AllocationDecisionRequest)
    headers = await _decide(request, member, body, body.model.value())
    return json_response(wire.DecidedAllocation.model_validate(body.model.echo()), headers=headers)


@router.put(
    "/partners/deallocations",
    operation_id="V1PartnerDeallocationsPutRoute",
    summary="Say what becomes of a reserved deallocation, with a signed request",
    description="For a partner that decides later. `cleared` moves the reserved funds back to the client's Go "
    "Account, `released` leaves them with the connection. Every id and the amount must be those of the "
    "deallocation. The same decision again changes nothing; another one is refused.",
    response_model=wire.DecidedDeallocation,
    responses=may_answer(400, 401, 403, 404, 409, 422),
    openapi_extra=takes_body(wire.DeallocationDecisionRequest),
)
async def decide_deallocation(request: Request, member: WritingMember) -> Response:
    body = await read_body(request, wire.DeallocationDecisionRequest)
    headers = await _decide(request, member, body, body.model.value())
    return json_response(wire.DecidedDeallocation.model_validate(body.model.echo()), headers=headers)


async def _decide(request: Request, member: Member, body: Body[S], decision: Decision) -> dict[str, str]:
    signed = signed_request(body, {"enterpriseId": member.enterprise_id})
    new = await run_in_threadpool(deciding.decide, request.app.state.runtime, member, decision, signed)
    return replay_headers(replayed=not new)


@router.get(
    "/clients/connections/{connection_id}/allocations/signing",
    operation_id="v1ClientAllocationsSigningGetRoute",
    summary="The exact text to sign for an allocation",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_body(wire.AllocationToSign),
)
async def allocation_to_sign(request: Request, member: ReadingMember, connection_id: str) -> Response:
    """Takes the fields as a JSON body on the GET."""
    return await _to_sign(request, member, connection_id)


@router.post(
    "/clients/connections/{connection_id}/allocations/signing",
    operation_id="v1ClientAllocationsSigningPostRoute",
    summary="The exact text to sign for an allocation",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_body(wire.AllocationToSign),
)
async def allocation_to_sign_by_post(request: Request, member: WritingMember, connection_id: str) -> Response:
    """The same for clients that cannot send a body with a GET."""
    return await _to_sign(request, member, connection_id)


@router.get(
    "/clients/connections/{connection_id}/deallocations/signing",
    operation_id="V1ClientDeallocationsSigningGetRoute",
    summary="The exact text to sign for a deallocation",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.AllocationToSign),
)
async def deallocation_to_sign(request: Request, member: ReadingMember, connection_id: str) -> Response:
    """Takes the fields as a JSON body on the GET."""
    return await _to_sign(request, member, connection_id)


@router.post(
    "/clients/connections/{connection_id}/deallocations/signing",
    operation_id="V1ClientDeallocationsSigningPostRoute",
    summary="The exact text to sign for a deallocation",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.AllocationToSign),
)
async def deallocation_to_sign_by_post(request: Request, member: WritingMember, connection_id: str) -> Response:
    """The same for clients that cannot send a body with a GET."""
    return await _to_sign(request, member, connection_id)


async def _to_sign(request: Request, member: Member, connection_id: str) -> Response:
    body = await read_body(request, wire.AllocationToSign)
    known = parse_uuid(connection_id) or NIL
    await run_in_threadpool(service.require_connection, request.app.state.runtime, member, known)
    return json_response(signing_payload(body, _path_ids(member, connection_id)))


def _path_ids(member: Member, connection_id: str) -> dict[str, str]:
    return {"enterpriseId": member.enterprise_id, "connectionId": connection_id}


@router.get(
    "/clients/allocations",
    operation_id="v1ClientAllocationsGetRoute",
    summary="List the client's allocations and deallocations",
    response_model=wire.AllocationList,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.ClientAllocationFilters),
)
async def list_client_allocations(request: Request, member: ReadingMember) -> Response:
    """On all connections of the caller as a client."""
    filters = await read_filters(request, wire.ClientAllocationFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    found = await run_in_threadpool(reading.client_allocations, runtime, member, filters.value(), **page)
    return counted_response(wire.client_list(found.items), found.total)


@router.get(
    "/clients/allocations/{allocation_id}",
    operation_id="v1ClientAllocationGetRoute",
    summary="One of the client's allocations",
    response_model=wire.AllocationAnswer,
    responses=may_answer(401, 403, 404),
)
async def client_allocation(request: Request, member: ReadingMember, allocation_id: str) -> Response:
    """Another client's allocation is answered as one that does not exist."""
    runtime, known = request.app.state.runtime, parse_uuid(allocation_id) or NIL
    return json_response(
        wire.client_answer(await run_in_threadpool(reading.allocation_of_client, runtime, member, known))
    )


@router.get(
    "/partners/allocations",
    operation_id="v1PartnerAllocationsGetRoute",
    summary="List the allocations to the partner, in its own names and unit",
    response_model=wire.AllocationList,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.PartnerAllocationFilters),
)
async def list_partner_allocations(request: Request, member: ReadingMember) -> Response:
    """On all connections to the caller as a partner."""
    filters = await read_filters(request, wire.PartnerAllocationFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime, wanted = request.app.state.runtime, filters.value()
    found, currencies = await run_in_threadpool(reading.partner_allocations, runtime, member, wanted, **page)
    return counted_response(wire.partner_list(found.items, currencies), found.total)


@router.get(
    "/partners/allocations/{allocation_id}",
    operation_id="v1PartnerAllocationGetRoute",
    summary="One of the allocations to the partner",
    response_model=wire.AllocationAnswer,
    responses=may_answer(401, 403, 404),
)
async def partner_allocation(request: Request, member: ReadingMember, allocation_id: str) -> Response:
    """An allocation to another partner is answered as one that does not exist."""
    runtime, known = request.app.state.runtime, parse_uuid(allocation_id) or NIL
    found, currencies = await run_in_threadpool(reading.allocation_of_partner, runtime, member, known)
    return json_response(wire.partner_answer(found, currencies))
