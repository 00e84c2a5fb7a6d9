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
    operation_id="v1ClientsPostRoute",
    summary="Become a client, trading from the enterprise's default Go Account",
    response_model=answers.ClientAnswer,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_body(wire.NoBody, required=False),
)
async def become_client(request: Request, member: WritingMember) -> Response:
    """An enterprise is one client: asking again gives the same one."""
    await read_body(request, wire.NoBody, optional=True)
    client = await run_in_threadpool(partnering.become_client, request.app.state.runtime, member)
    return json_response(answers.client_answer(client))


@router.post(
    "/partners",
    operation_id="v1PartnersPostRoute",
    summary="Become a partner, once the operator has configured the enterprise as one",
    response_model=answers.PartnerAnswer,
    responses=may_answer(400, 401, 403, 422),
    openapi_extra=takes_body(wire.NewPartnerRequest),
)
async def become_partner(request: Request, member: WritingMember) -> Response:
    """An enterprise is one partner: asking again in the same words gives the same one.

    The operator configures beforehand which currencies the enterprise knows and how it counts amounts.
    """
    body = await read_body(request, wire.NewPartnerRequest)
    runtime, asked = request.app.state.runtime, body.model.value()
    partner = await run_in_threadpool(partnering.become_partner, runtime, member, asked)
    return json_response(answers.partner_answer(partner))


@router.get(
    "/partners",
    operation_id="v1PartnersGetRoute",
    summary="List the partners of the network",
    response_model=answers.PartnerList,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.PartnerFilters),
)
async def list_partners(request: Request, member: ReadingMember) -> Response:
    """Every partner, whether or not the caller has a connection to it."""
    filters = await read_filters(request, wire.PartnerFilters)
    wanted = filters.value(member.enterprise_id)
    page = {"limit": filters.limit, "offset": filters.offset}
    found = await run_in_threadpool(partnering.list_partners, request.app.state.runtime, wanted, **page)
    return counted_response(answers.partner_list(found.items, member.enterprise_id), found.total)


@router.get(
    "/supportedCurrencies",
    operation_id="v1EnterpriseSupportedCurrenciesRoute",
    summary="The currencies that partners take, and what they call them",
    response_model=answers.SupportedCurrencies,
    responses=may_answer(400, 401, 403),
    openapi_extra=takes_filters(wire.SupportedCurrencyFilters),
)
async def supported_currencies(request: Request, member: ReadingMember) -> Response:  # noqa: ARG001 - guards
    """For each partner asked for: our name of a currency, the asset behind it, and the partner's own names."""
    filters = await read_filters(request, wire.SupportedCurrencyFilters)
    runtime = request.app.state.runtime
    maps = await run_in_threadpool(partnering.supported_currencies, runtime, filters.partner_ids)
    return json_response(answers.supported_currencies(maps))


@router.get(
    "/clients/connections/signing",
    operation_id="V1ClientConnectionsSigningGetRoute",
    summary="The exact text to sign for a new connection",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.ConnectionToSign),
)
async def connection_to_sign(request: Request, member: ReadingMember) -> Response:
    """Takes the fields as a JSON body on the GET, and checks that the partner can be connected to."""
    body = await read_body(request, wire.ConnectionToSign)
    runtime, asked = request.app.state.runtime, body.model
    await run_in_threadpool(
        connecting.require_connectable, runtime, member, asked.partner_id, asked.key_schema, asked.key_fields
    )
    return json_response(signing_payload(body, {"enterpriseId": member.enterprise_id}))


@router.post(
    "/clients/connections/signing",
    operation_id="V1ClientConnectionsSigningPostRoute",
    summary="The exact text to sign for a new connection",
    response_model=SigningPayload,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.ConnectionToSign),
)
async def connection_to_sign_by_post(request: Request, member: WritingMember) -> Response:
    """The same for clients that cannot send a body with a GET."""
    return await connection_to_sign(request, member)


@router.post(
    "/clients/connections",
    operation_id="v1ClientConnectionsPostRoute",
    summary="Connect to a partner, with a signed request",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.NewConnectionRequest),
)
async def connect(request: Request, member: WritingMember) -> Response:
    """Opens a network account at the partner, with the key that the partner gave to its customer.

    The key is kept encrypted and never given back.
    """
    body = await read_body(request, wire.NewConnectionRequest)
    runtime, asked = request.app.state.runtime, body.model.value()
    signed = signed_request(body, {"enterpriseId": member.enterprise_id})
    done = await run_in_threadpool(connecting.connect, runtime, member, asked, signed)
    headers = replay_headers(replayed=done.replayed)
    return json_response(answers.connection_answer(done.connection), headers=headers)


@router.get(
    "/clients/connections",
    operation_id="v1ClientConnectionsGetRoute",
    summary="List the client's connections",
    response_model=answers.ConnectionList,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.ClientConnectionFilters),
)
async def list_client_connections(request: Request, member: ReadingMember) -> Response:
    """All connections of the caller as a client, stopped ones too."""
    filters = await read_filters(request, wire.ClientConnectionFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    found = await run_in_threadpool(connecting.client_connections, runtime, member, filters.value(), **page)
    return counted_response(answers.connection_list(found.items), found.total)


@router.get(
    "/clients/connections/{connection_id}",
    operation_id="v1ClientConnectionGetRoute",
    summary="One of the client's connections",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(401, 403, 404),
)
async def client_connection(request: Request, member: ReadingMember, connection_id: str) -> Response:
    """Another client's connection is answered as one that does not exist."""
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.client_connection, runtime, member, known)
    return json_response(answers.connection_answer(connection))


@router.put(
    "/clients/connections/{connection_id}",
    operation_id="v1ClientConnectionPutRoute",
    summary="Rename, stop or restart a connection",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(400, 401, 403, 404, 422),
    openapi_extra=takes_body(wire.ConnectionChange),
)
async def change_connection(request: Request, member: WritingMember, connection_id: str) -> Response:
    """A stopped connection takes no allocations; it still settles, and its funds can be taken back."""
    body = await read_body(request, wire.ConnectionChange)
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.change, runtime, member, known, body.model.changes())
    return json_response(answers.connection_answer(connection))


@router.get(
    "/partners/connections",
    operation_id="v1PartnerConnectionsGetRoute",
    summary="List the connections to the partner",
    response_model=answers.ConnectionList,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.PartnerConnectionFilters),
)
async def list_partner_connections(request: Request, member: ReadingMember) -> Response:
    """All clients' connections to the caller as a partner."""
    filters = await read_filters(request, wire.PartnerConnectionFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    found = await run_in_threadpool(connecting.partner_connections, runtime, member, filters.value(), **page)
    return counted_response(answers.connection_list(found.items), found.total)


@router.get(
    "/partners/connections/{connection_id}",
    operation_id="v1PartnerConnectionGetRoute",
    summary="One of the connections to the partner",
    response_model=answers.ConnectionAnswer,
    responses=may_answer(401, 403, 404),
)
async def partner_connection(request: Request, member: ReadingMember, connection_id: str) -> Response:
    """A connection to another partner is answered as one that does not exist."""
    runtime, known = request.app.state.runtime, parse_uuid(connection_id) or NIL
    connection = await run_in_threadpool(connecting.partner_connection, runtime, member, known)
    return json_response(answers.connection_answer(connection))


@router.get(
    "/clients/balances",
    operation_id="v1ClientBalancesGetRoute",
    summary="The client's funds: in its Go Account, and allocated to partners",
    response_model=answers.ClientBalances,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.ClientBalanceFilters),
)
async def client_balances(request: Request, member: ReadingMember) -> Response:
    """In our names and base units; what is held waits for an allocation, a settlement or a dispute."""
    filters = await read_filters(request, wire.ClientBalanceFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    view = await run_in_threadpool(balances.of_client, runtime, member, filters.value(), **page)
    return counted_response(answers.client_balances(view), view.total)


@router.get(
    "/partners/balances",
    operation_id="v1PartnerBalancesGetRoute",
    summary="The funds that clients have allocated to the partner, in the partner's names and unit",
    response_model=answers.PartnerBalances,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_filters(wire.PartnerBalanceFilters),
)
async def partner_balances(request: Request, member: ReadingMember) -> Response:
    """Per connection; clients are named by their ids only."""
    filters = await read_filters(request, wire.PartnerBalanceFilters)
    page = {"limit": filters.limit, "offset": filters.offset}
    runtime = request.app.state.runtime
    view = await run_in_threadpool(balances.of_partner, runtime, member, filters.value(), **page)
    return counted_response(answers.partner_balances(view), view.total)
