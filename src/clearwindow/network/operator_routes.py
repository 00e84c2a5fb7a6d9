"""Operators configure enterprises as partners, and change partners and clients."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, ServerRuntime
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.act_schemas import PROPOSED, answered
from clearwindow.identity.acts import Asked, perform
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.network import acts, membership
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
