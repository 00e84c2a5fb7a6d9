"""Operators configure enterprises as partners, and change partners and clients."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import JsonBody, ServerRuntime
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.network import membership
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
    ),
)
def configure(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[ConfigurationRequest]
) -> ConfigurationAnswer:
    asked = body.model.to_model(enterprise_id)
    endpoint = body.model.endpoint(enterprise_id)
    configuration = membership.configure(runtime, actor, asked, endpoint)
    return configuration_answer(configuration, endpoint)


@router.patch(
    "/partners/{partner_id}",
    summary="Start or stop a partner, set or remove its windows",
    responses=may_raise(("partner_unknown", 404)),
)
def change_partner(
    runtime: ServerRuntime, actor: ActingOperator, partner_id: str, body: JsonBody[PartnerChange]
) -> OperatorPartnerAnswer:
    known = parse_uuid(partner_id) or NIL
    partner = membership.change_partner(runtime, actor, known, body.model.changes())
    return operator_partner_answer(partner)


@router.patch(
    "/enterprises/{enterprise_id}/partner-licences/{partner_id}",
    summary="Give an enterprise the licence for a partner, or take it away",
    responses=may_raise("enterprise_unknown", ("partner_unknown", 404)),
)
def change_partner_licence(
    runtime: ServerRuntime,
    actor: ActingOperator,
    enterprise_id: str,
    partner_id: str,
    body: JsonBody[PartnerLicenceChange],
) -> PartnerLicenceAnswer:
    """Every enterprise has it at first. Without it: no new connections and allocations (403); the rest goes on."""
    asked = PartnerLicence(enterprise_id, parse_uuid(partner_id) or NIL, body.model.licensed)
    return licence_answer(membership.change_licence(runtime, actor, asked))


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
