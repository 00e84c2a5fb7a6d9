"""The network's routes about partners, clients, connections and balances."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingMember, WritingMember
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import counted_response, read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import NIL, parse_uuid
from clearwindow.network import answers, balances, connecting, partnering, wire
from clearwindow.signing.wire import SigningPayload, signed_request, signing_payload

router: Final = APIRouter(prefix="/api/network/v1/enterprises/{enterprise_id}", tags=["network"])


@router.post(
    "/clients",
    summary="Become a client, trading from the enterprise's default Go Account",
    response_model=answers.ClientAnswer,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_body(wire.NoBody, required=False),
)
async def become_client(request: Request, member: WritingMember) -> Response:
    await read_body(request, wire.NoBody, optional=True)
    client = await run_in_threadpool(partnering.become_client, request.app.state.runtime, member)
    return json_response(answers.client_answer(client))


@router.post(
    "/partners",
    summary="Become a partner, once the operator has configured the enterprise as one",
    response_model=answers.PartnerAnswer,
    responses=may_answer(400, 401, 403, 422),
    openapi_extra=takes_body(wire.NewPartnerRequest),
)
async def become_partner(request: Request, member: WritingMember) -> Response:
    body = await read_body(request, wire.NewPartnerRequest)
    runtime, asked = request.app.state.runtime, body.model.value()
    partner = await run_in_threadpool(partnering.become_partner, runtime, member, asked)
    return json_response(answers.partner_answer(partner))


@router.get(
    "/partners",
    summary="List the partners of the network",
    response_model=answers.PartnerList,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.PartnerFilters),
)
async def list_partners(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.PartnerFilters)
    wanted = filters.value(member.enterprise_id)
    page = {"limit": filters.limit, "offset": filters.offset}
    found = await run_in_threadpool(partnering.list_partners, request.app.state.runtime, wanted, **page)
    return counted_response(answers.partner_list(found.items, member.enterprise_id), found.total)


@router.get(
    "/supportedCurrencies",
    summary="The currencies that partners take, and what they call them",
    response_model=answers.SupportedCurrencies,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.SupportedCurrencyFilters),
)
async def supported_currencies(request: Request, member: ReadingMember) -> Response:  # noqa: ARG001 - guards
    filters = await read_filters(request, wire.SupportedCurrencyFilters)
    runtime = request.app.state.runtime
    maps = await run_in_threadpool(partnering.supported_currencies, runtime, filters.partner_ids)
    return json_response(answers.supported_currencies(maps))


@router.get(
    "/clients/connections/signing",
    summary="The exact text to sign for a new connection",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_body(wire.ConnectionToSign),
)
@router.post(
    "/clients/connections/signing",
    summary="The exact text to sign for a new connection",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_body(wire.ConnectionToSign),
)
async def connection_to_sign(request: Request, member: ReadingMember) -> Response:
    body = await read_body(request, wire.ConnectionToSign)
    runtime, asked = request.app.state.runtime, body.model
    await run_in_threadpool(connecting.require_connectable, runtime, member, asked.partner_id, asked.key_schema)
    return json_response(signing_payload(body, {"enterpriseId": member.enterprise_id}))


@router.post(
    "/clients/connections",
    summary="Connect to a partner, with a signed request",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.NewConnectionRequest),
)
async def connect(request: Request, member: WritingMember) -> Response:
    body = await read_body(request, wire.NewConnectionRequest)
    runtime, asked = request.app.state.runtime, body.model.value()
    signed = signed_request(body, {"enterpriseId": member.enterprise_id})
    done = await run_in_threadpool(connecting.connect, runtime, member, asked, signed)
    headers = replay_headers(replayed=done.replayed)
    return json_response(answers.connection_answer(done.connection), headers=headers)


@router.get(
    "/clients/connections",
    summary="List the client's connections",
    response_model=answers.ConnectionList,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.ClientConnectionFilters),
)
async def list_client_connections(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.ClientConnectionFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    found = await run_in_threadpool(connecting.client_connections, runtime, member, filters.value(), **page)
    return counted_response(answers.connection_list(found.items), found.total)


@router.get(
    "/clients/connections/{connection_id}",
    summary="One of the client's connections",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(401, 403, 404),
)
async def client_connection(request: Request, member: ReadingMember, connection_id: str) -> Response:
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.client_connection, runtime, member, known)
    return json_response(answers.connection_answer(connection))


@router.put(
    "/clients/connections/{connection_id}",
    summary="Rename, stop or restart a connection",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.ConnectionChange),
)
async def change_connection(request: Request, member: WritingMember, connection_id: str) -> Response:
    body = await read_body(request, wire.ConnectionChange)
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.change, runtime, member, known, body.model.changes())
    return json_response(answers.connection_answer(connection))


@router.get(
    "/partners/connections",
    summary="List the connections to the partner",
    response_model=answers.ConnectionList,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.PartnerConnectionFilters),
)
async def list_partner_connections(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.PartnerConnectionFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    found = await run_in_threadpool(connecting.partner_connections, runtime, member, filters.value(), **page)
    return counted_response(answers.connection_list(found.items), found.total)


@router.get(
    "/partners/connections/{connection_id}",
    summary="One of the connections to the partner",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(401, 403, 404),
)
async def partner_connection(request: Request, member: ReadingMember, connection_id: str) -> Response:
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.partner_connection, runtime, member, known)
    return json_response(answers.connection_answer(connection))


@router.get(
    "/clients/balances",
    summary="The client's funds: in its Go Account, and allocated to partners",
    response_model=answers.ClientBalances,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.ClientBalanceFilters),
)
async def client_balances(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.ClientBalanceFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    view = await run_in_threadpool(balances.of_client, runtime, member, filters.value(), **page)
    return counted_response(answers.client_balances(view), view.total)


@router.get(
    "/partners/balances",
    summary="The funds that clients have allocated to the partner, in the partner's names and unit",
    response_model=answers.PartnerBalances,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.PartnerBalanceFilters),
)
async def partner_balances(request: Request, member: ReadingMember) -> Response:
    filters = await read_filters(request, wire.PartnerBalanceFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    view = await run_in_threadpool(balances.of_partner, runtime, member, filters.value(), **page)
    return counted_response(answers.partner_balances(view), view.total)
