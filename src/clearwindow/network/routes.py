"""Members become clients or partners, connect, and read partners, connections and balances."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import (
    Answer,
    Filters,
    JsonBody,
    OptionalJsonBody,
    Query,
    ServerRuntime,
    paged,
    works_on,
)
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.core.work import Work
from clearwindow.custody import intent
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.network import connection_schemas, connections, membership, schemas, views
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import (
    CHANGE_ERRORS,
    SIGNATURE_ERRORS,
    SigningOptions,
    SigningPayload,
    signed_change,
    signed_request,
    signing_payload,
)

_TO_SIGN: Final = may_raise(
    "not_a_client",
    ("partner_unknown", 404),
    "connection_key_schema_differs",
    "connection_key_not_readable",
    "payload_impossible",
    unused=(422,),
)
router: Final = member_router("network", NETWORK_V1)


@router.post(
    "/clients",
    operation_id="v1ClientsPostRoute",
    summary="Become a client that trades from the enterprise's default Go Account",
    responses=may_raise("go_account_missing"),
)
def become_client(
    runtime: ServerRuntime, member: CallingMember, _body: OptionalJsonBody[schemas.NoBody]
) -> schemas.ClientAnswer:
    """An enterprise is one client. A repeat answers the same client."""
    client = membership.become_client(runtime, member)
    return schemas.client_answer(client)


@router.post(
    "/partners",
    operation_id="v1PartnersPostRoute",
    summary="Become a partner, once the operator has configured the enterprise as one",
    responses=may_raise("partner_configuration_missing", "go_account_missing", "partner_differs"),
)
def become_partner(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.NewPartnerRequest]
) -> schemas.PartnerAnswer:
    """An enterprise is one partner. A repeat with the same values answers the same partner.

    Before, the operator configures the enterprise's currency names and its amount unit.
    """
    asked = body.model.to_model()
    partner = membership.become_partner(runtime, member, asked)
    return schemas.partner_answer(partner)


@router.get(
    "/partners",
    operation_id="v1PartnersGetRoute",
    summary="List the partners of the network",
)
def list_partners(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.PartnerFilters]
) -> Answer[schemas.PartnerList]:
    """Lists every partner, whether or not the caller has a connection to it."""
    wanted = filters.to_model(member.enterprise_id)
    found, licences = views.list_partners(runtime, member, wanted, filters.slice)
    return paged(schemas.partner_list(found.items, licences, member.enterprise_id), found, filters)


@router.get(
    "/supportedCurrencies",
    operation_id="v1EnterpriseSupportedCurrenciesRoute",
    summary="List the currencies that partners support, and their names for them",
    responses=may_raise(("partner_unknown", 400)),
)
def supported_currencies(
    runtime: ServerRuntime, filters: Filters[schemas.SupportedCurrencyFilters]
) -> schemas.SupportedCurrencies:
    """Answers, for each requested partner, our currency names, their backing assets and the partner's own names."""
    maps = views.supported_currencies(runtime, filters.partner_ids)
    return schemas.supported_currencies(maps)


@router.get(
    "/currencies",
    operation_id="v1CurrenciesGetRoute",
    summary="List the currencies of the network with their decimals",
)
def network_currencies(runtime: ServerRuntime, member: CallingMember) -> schemas.NetworkCurrencies:
    """A partner also gets its own names of them, and the unit of its amounts."""
    known, configuration = views.network_currencies(runtime, member)
    return schemas.network_currencies(known, configuration)


@router.get(
    "/clients/connections/signing",
    operation_id="V1ClientConnectionsSigningGetRoute",
    summary="Get the exact text to sign for a new connection",
    responses=_TO_SIGN,
)
def connection_to_sign(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[connection_schemas.ConnectionToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """Takes the fields as a JSON body of the GET, and checks that the client can connect to the partner."""
    asked = body.model
    connections.require_connectable(runtime, member, asked.partner_id, asked.key_schema, asked.key_fields)
    ids = {"enterpriseId": member.enterprise_id}
    fields = intent.fields_to_sign(runtime, member, body.fields, Operation.CONNECTION_CREATE, ids, options)
    return signing_payload(body, ids, fields)


@router.post(
    "/clients/connections/signing",
    operation_id="V1ClientConnectionsSigningPostRoute",
    summary="Get the exact text to sign for a new connection",
    responses=_TO_SIGN,
)
def connection_to_sign_by_post(
    runtime: ServerRuntime,
    member: CallingMember,
    body: JsonBody[connection_schemas.ConnectionToSign],
    options: Query[SigningOptions],
) -> SigningPayload:
    """The same as GET, for clients that cannot send a body with a GET."""
    return connection_to_sign(runtime, member, body, options)


@router.post(
    "/clients/connections",
    operation_id="v1ClientConnectionsPostRoute",
    summary="Connect to a partner, with a signed request",
    responses=may_raise(
        "not_a_client",
        ("partner_unknown", 404),
        "connection_key_schema_differs",
        "connection_key_not_readable",
        *SIGNATURE_ERRORS,
        ("nonce_used", 400),
        ("text_already_used", 400),
        "partner_not_licensed",
        "client_inactive",
        ("partner_inactive", 422),
        ("paused", 422),
        "connection_refused",
    ),
)
@works_on(Work.WAITS_FOR_PARTNER)
def connect(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[connection_schemas.NewConnectionRequest]
) -> Answer[connection_schemas.ConnectionAnswer]:
    """Opens a network account at the partner, with the key that the partner gave to its customer.

    The key is stored encrypted and never returned.
    """
    asked = body.model.to_model()
    signed = signed_request(Operation.CONNECTION_CREATE, body, {"enterpriseId": member.enterprise_id})
    done = connections.connect(runtime, member, asked, signed)
    headers = replay_headers(replayed=done.replayed)
    return Answer(connection_schemas.connection_answer(done.connection), headers=headers)


@router.get(
    "/clients/connections",
    operation_id="v1ClientConnectionsGetRoute",
    summary="List the client's connections",
    responses=may_raise("not_a_client", unused=(404,)),
)
def list_client_connections(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[connection_schemas.ClientConnectionFilters]
) -> Answer[connection_schemas.ConnectionList]:
    """Lists all connections of the caller as a client, including stopped ones."""
    found = views.client_connections(runtime, member, filters.to_model(), filters.slice)
    return paged(connection_schemas.connection_list(found.items), found, filters)


@router.get(
    "/clients/connections/{connection_id}",
    operation_id="v1ClientConnectionGetRoute",
    summary="Get one of the client's connections",
    responses=may_raise("not_a_client", ("connection_unknown", 404)),
)
def client_connection(
    runtime: ServerRuntime, member: CallingMember, connection_id: str
) -> connection_schemas.ConnectionAnswer:
    """Another client's connection gets the same error as an unknown one."""
    known = parse_uuid(connection_id) or NIL
    connection = views.client_connection(runtime, member, known)
    return connection_schemas.connection_answer(connection)


@router.put(
    "/clients/connections/{connection_id}",
    operation_id="v1ClientConnectionPutRoute",
    summary="Rename, stop or restart a connection",
    responses=may_raise(
        "not_a_client",
        ("connection_unknown", 404),
        "connection_refused",
        *CHANGE_ERRORS,
        ("nonce_used", 400),
        ("text_already_used", 400),
    ),
)
def change_connection(
    runtime: ServerRuntime,
    enterprise_id: str,
    connection_id: str,
    member: CallingMember,
    body: JsonBody[connection_schemas.ConnectionChange],
) -> Answer[connection_schemas.ConnectionAnswer]:
    """A stopped connection takes no allocations. It still settles, and its funds can be deallocated.

    Must be signed if the client's Go Account requires intent.
    """
    path_ids = {"enterpriseId": enterprise_id, "connectionId": connection_id}
    request = signed_change(Operation.CONNECTION_UPDATE, body, path_ids)
    known = parse_uuid(connection_id) or NIL
    connection, replayed = connections.change(runtime, member, known, body.model.changes(), request)
    return Answer(connection_schemas.connection_answer(connection), headers=replay_headers(replayed=replayed))


@router.get(
    "/partners/connections",
    operation_id="v1PartnerConnectionsGetRoute",
    summary="List the connections to the partner",
    responses=may_raise("not_a_partner", unused=(404,)),
)
def list_partner_connections(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[connection_schemas.PartnerConnectionFilters]
) -> Answer[connection_schemas.ConnectionList]:
    """Lists the connections of all clients to the caller as a partner."""
    found = views.partner_connections(runtime, member, filters.to_model(), filters.slice)
    return paged(connection_schemas.connection_list(found.items), found, filters)


@router.get(
    "/partners/connections/{connection_id}",
    operation_id="v1PartnerConnectionGetRoute",
    summary="Get one of the connections to the partner",
    responses=may_raise("not_a_partner", ("connection_unknown", 404)),
)
def partner_connection(
    runtime: ServerRuntime, member: CallingMember, connection_id: str
) -> connection_schemas.ConnectionAnswer:
    """A connection to another partner gets the same error as an unknown one."""
    known = parse_uuid(connection_id) or NIL
    connection = views.partner_connection(runtime, member, known)
    return connection_schemas.connection_answer(connection)


@router.get(
    "/clients/balances",
    operation_id="v1ClientBalancesGetRoute",
    summary="Get the client's balances: in its Go Account, and allocated to partners",
    responses=may_raise("not_a_client", unused=(404,)),
)
def client_balances(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[connection_schemas.ClientBalanceFilters]
) -> Answer[connection_schemas.ClientBalances]:
    """Uses our currency names and base units. Held amounts belong to open allocations, settlements or disputes."""
    funds = views.client_funds(runtime, member, filters.to_model(), filters.slice)
    return paged(connection_schemas.client_balances(funds), funds.connections, filters)


@router.get(
    "/partners/balances",
    operation_id="v1PartnerBalancesGetRoute",
    summary="Get the funds that clients have allocated to the partner, in the partner's names and unit",
    responses=may_raise("not_a_partner", unused=(404,)),
)
def partner_balances(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[connection_schemas.PartnerBalanceFilters]
) -> Answer[connection_schemas.PartnerBalances]:
    """Answers balances by connection. Clients appear only by their ids."""
    funds = views.partner_funds(runtime, member, filters.to_model(), filters.slice)
    return paged(connection_schemas.partner_balances(funds), funds.connections, filters)
