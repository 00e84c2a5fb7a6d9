"""Operators configure enterprises as partners, and change partners and clients."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, ServerRuntime, paged
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.act_schemas import PROPOSED, answered
from clearwindow.identity.acts import Asked, perform
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.network import acts, list_schemas, membership, operator_views
from clearwindow.network.acts import Configured
from clearwindow.network.models import PartnerLicence
from clearwindow.network.operator_schemas import (
    ClientChange,
    ConfigurationAnswer,
    ConfigurationRequest,
    OperatorPartnerAnswer,
    PartnerChange,
    PartnerLicenceAnswer,
    PartnerLicenceChange,
    configuration_answer,
    licence_answer,
    operator_partner_answer,
)
from clearwindow.network.schemas import ClientAnswer, client_answer

router: Final = operator_router("network")


@router.put(
    "/enterprises/{enterprise_id}/partner-configuration",
    summary="Configure an enterprise as a partner: its currency names, its amount unit and its options",
    responses=may_raise(
        "enterprise_unknown",
        "currency_unknown",
        "callback_url_refused",
        "callback_path_unknown",
        "callback_path_malformed",
        "proposal_differs",
    )
    | PROPOSED,
)
def configure(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[ConfigurationRequest]
) -> Answer[ConfigurationAnswer]:
    """The first configuration, and each before the enterprise is a partner, need no other operator."""
    endpoint = body.model.endpoint(enterprise_id)
    asked = Configured(body.model.to_model(enterprise_id), endpoint)
    done = perform(runtime, actor, acts.CONFIGURATION, Asked(enterprise_id, asked))
    return answered(done, lambda made: configuration_answer(made.configuration, made.endpoint))


@router.get("/partner-configurations", summary="List partner configurations, by the ids of their enterprises")
def list_configurations(
    runtime: ServerRuntime, filters: Filters[list_schemas.ConfigurationFilters]
) -> Answer[list_schemas.ConfigurationsAnswer]:
    found = operator_views.list_configurations(runtime, filters.to_model(), filters.slice)
    return paged(list_schemas.configurations_answer(found.items), found, filters)


@router.get(
    "/enterprises/{enterprise_id}/partner-configuration",
    summary="Get the partner configuration of an enterprise",
    responses=may_raise("partner_configuration_unknown"),
)
def get_configuration(runtime: ServerRuntime, enterprise_id: str) -> ConfigurationAnswer:
    return configuration_answer(*operator_views.get_configuration(runtime, enterprise_id))


@router.get("/partners", summary="List partners, newest first")
def list_partners(
    runtime: ServerRuntime, filters: Filters[list_schemas.OperatorPartnerFilters]
) -> Answer[list_schemas.OperatorPartnersAnswer]:
    found = operator_views.list_partners(runtime, filters.to_model(), filters.slice)
    return paged(list_schemas.partners_answer(found.items), found, filters)


@router.get("/partners/{partner_id}", summary="Get one partner", responses=may_raise(("partner_unknown", 404)))
def get_partner(runtime: ServerRuntime, partner_id: str) -> OperatorPartnerAnswer:
    return operator_partner_answer(operator_views.get_partner(runtime, parse_uuid(partner_id) or NIL))


@router.get("/clients", summary="List clients, newest first")
def list_clients(
    runtime: ServerRuntime, filters: Filters[list_schemas.OperatorClientFilters]
) -> Answer[list_schemas.OperatorClientsAnswer]:
    found = operator_views.list_clients(runtime, filters.to_model(), filters.slice)
    return paged(list_schemas.clients_answer(found.items), found, filters)


@router.get("/clients/{client_id}", summary="Get one client", responses=may_raise("client_unknown"))
def get_client(runtime: ServerRuntime, client_id: str) -> list_schemas.OperatorClientAnswer:
    return list_schemas.operator_client_answer(operator_views.get_client(runtime, parse_uuid(client_id) or NIL))


@router.get("/connections", summary="List connections, newest first")
def list_connections(
    runtime: ServerRuntime, filters: Filters[list_schemas.OperatorConnectionFilters]
) -> Answer[list_schemas.OperatorConnectionsAnswer]:
    found = operator_views.list_connections(runtime, filters.to_model(), filters.slice)
    return paged(list_schemas.connections_answer(found.items), found, filters)


@router.get(
    "/connections/{connection_id}",
    summary="Get one connection",
    responses=may_raise(("connection_unknown", 404)),
)
def get_connection(runtime: ServerRuntime, connection_id: str) -> list_schemas.OperatorConnectionAnswer:
    found = operator_views.get_connection(runtime, parse_uuid(connection_id) or NIL)
    return list_schemas.operator_connection_answer(found)


@router.patch(
    "/partners/{partner_id}",
    summary="Start or stop a partner, set or remove its windows",
    responses=may_raise(("partner_unknown", 404), "proposal_differs") | PROPOSED,
)
def change_partner(
    runtime: ServerRuntime, actor: ActingOperator, partner_id: str, body: JsonBody[PartnerChange]
) -> Answer[OperatorPartnerAnswer]:
    """To start or stop it needs no other operator."""
    known = parse_uuid(partner_id) or NIL
    done = perform(runtime, actor, acts.PARTNER, Asked(str(known), body.model.changes()))
    return answered(done, operator_partner_answer)


@router.patch(
    "/enterprises/{enterprise_id}/partner-licences/{partner_id}",
    summary="Give an enterprise the licence for a partner, or take it away",
    responses=may_raise("enterprise_unknown", ("partner_unknown", 404), "proposal_differs") | PROPOSED,
)
def change_partner_licence(
    runtime: ServerRuntime,
    actor: ActingOperator,
    enterprise_id: str,
    partner_id: str,
    body: JsonBody[PartnerLicenceChange],
) -> Answer[PartnerLicenceAnswer]:
    """Every enterprise has it at first. Without it: no new connections and allocations (403); the rest goes on."""
    asked = PartnerLicence(enterprise_id, parse_uuid(partner_id) or NIL, body.model.licensed)
    done = perform(runtime, actor, acts.PARTNER_LICENCE, Asked(enterprise_id, asked))
    return answered(done, licence_answer)


@router.get(
    "/partner-licences", summary="List licences for partners, by the ids of their enterprises and of the partners"
)
def list_partner_licences(
    runtime: ServerRuntime, filters: Filters[list_schemas.LicenceFilters]
) -> Answer[list_schemas.PartnerLicencesAnswer]:
    """Those that somebody has changed. An enterprise that is not here has the licence for each partner."""
    found = operator_views.list_licences(runtime, filters.to_model(), filters.slice)
    return paged(list_schemas.licences_answer(found.items), found, filters)


@router.patch(
    "/clients/{client_id}",
    summary="Start or stop a client",
    responses=may_raise("client_unknown"),
)
def change_client(
    runtime: ServerRuntime, actor: ActingOperator, client_id: str, body: JsonBody[ClientChange]
) -> ClientAnswer:
    known = parse_uuid(client_id) or NIL
    client = membership.change_client(runtime, actor, known, body.model.changes())
    return client_answer(client)
