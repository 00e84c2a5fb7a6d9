"""The operator's routes about partner configurations, partners and clients."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response
from clearwindow.ids import NIL, parse_uuid
from clearwindow.network import partnering
from clearwindow.network.answers import ClientAnswer, client_answer
from clearwindow.network.operator_wire import (
    ClientChange,
    ConfigurationAnswer,
    ConfigurationRequest,
    OperatorPartnerAnswer,
    PartnerChange,
    configuration_answer,
    operator_partner_answer,
)

router: Final = APIRouter(prefix="/api/operator/v1", tags=["operator: network"])


@router.put(
    "/enterprises/{enterprise_id}/partner-configuration",
    summary="Say how an enterprise names currencies and counts amounts, so that it may become a partner",
    response_model=ConfigurationAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(ConfigurationRequest),
)
async def configure(request: Request, actor: ActingOperator, enterprise_id: str) -> Response:
    body = await read_body(request, ConfigurationRequest)
    runtime, asked = request.app.state.runtime, body.model.value(enterprise_id)
    endpoint = body.model.endpoint(enterprise_id)
    configuration = await run_in_threadpool(partnering.configure, runtime, actor, asked, endpoint)
    return json_response(configuration_answer(configuration, endpoint))


@router.patch(
    "/partners/{partner_id}",
    summary="Start or stop a partner, set or take away its windows",
    response_model=OperatorPartnerAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(PartnerChange),
)
async def change_partner(request: Request, actor: ActingOperator, partner_id: str) -> Response:
    body = await read_body(request, PartnerChange)
    runtime, known = request.app.state.runtime, parse_uuid(partner_id) or NIL
    partner = await run_in_threadpool(partnering.change_partner, runtime, actor, known, body.model.changes())
    return json_response(operator_partner_answer(partner))


@router.patch(
    "/clients/{client_id}",
    summary="Start or stop a client",
    response_model=ClientAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(ClientChange),
)
async def change_client(request: Request, actor: ActingOperator, client_id: str) -> Response:
    body = await read_body(request, ClientChange)
    runtime, known = request.app.state.runtime, parse_uuid(client_id) or NIL
    client = await run_in_threadpool(partnering.change_client, runtime, actor, known, body.model.changes())
    return json_response(client_answer(client))
