"""Routes about operators, enterprises, users and tokens."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response
from clearwindow.operator import people
from clearwindow.operator.people_wire import (
    EnterpriseAnswer,
    EnterpriseRequest,
    EnterpriseUpdate,
    OperatorAnswer,
    OperatorRequest,
    OperatorTokenRequest,
    TokenAnswer,
    TokenRequest,
    UserAnswer,
    UserRequest,
    enterprise_answer,
    operator_answer,
    token_answer,
    user_answer,
)

router: Final = APIRouter(tags=["operator: people"])


@router.post(
    "/operators",
    summary="Make an operator; the same name again is the same operator",
    response_model=OperatorAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_body(OperatorRequest),
)
async def create_operator(request: Request, actor: ActingOperator) -> Response:
    body = await read_body(request, OperatorRequest)
    runtime = request.app.state.runtime
    return json_response(
        operator_answer(await run_in_threadpool(people.create_operator, runtime, actor, body.model))
    )


@router.post(
    "/operators/{operator_id}/tokens",
    summary="Make a token for an operator; its value is in this answer only",
    response_model=TokenAnswer,
    responses=may_answer(400, 401, 403, 404),
    openapi_extra=takes_body(OperatorTokenRequest, required=False),
)
async def create_operator_token(request: Request, actor: ActingOperator, operator_id: str) -> Response:
    body = await read_body(request, OperatorTokenRequest, optional=True)
    runtime = request.app.state.runtime
    issued = await run_in_threadpool(people.create_operator_token, runtime, actor, operator_id, body.model)
    return json_response(token_answer(issued))


@router.post(
    "/enterprises",
    summary="Make an enterprise; the same body with the same id again is the same enterprise",
    response_model=EnterpriseAnswer,
    responses=may_answer(400, 401, 409),
    openapi_extra=takes_body(EnterpriseRequest),
)
async def create_enterprise(request: Request, actor: ActingOperator) -> Response:
    body = await read_body(request, EnterpriseRequest)
    runtime = request.app.state.runtime
    enterprise = await run_in_threadpool(people.create_enterprise, runtime, actor, body.model)
    return json_response(enterprise_answer(enterprise))


@router.patch(
    "/enterprises/{enterprise_id}",
    summary="Rename an enterprise, give or take its licence",
    response_model=EnterpriseAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(EnterpriseUpdate),
)
async def update_enterprise(request: Request, actor: ActingOperator, enterprise_id: str) -> Response:
    body = await read_body(request, EnterpriseUpdate)
    runtime = request.app.state.runtime
    enterprise = await run_in_threadpool(people.update_enterprise, runtime, actor, enterprise_id, body.model)
    return json_response(enterprise_answer(enterprise))


@router.post(
    "/enterprises/{enterprise_id}/users",
    summary="Make a user, or a known user a member of one more enterprise",
    response_model=UserAnswer,
    responses=may_answer(400, 401, 404, 409),
    openapi_extra=takes_body(UserRequest),
)
async def create_user(request: Request, actor: ActingOperator, enterprise_id: str) -> Response:
    body = await read_body(request, UserRequest)
    runtime = request.app.state.runtime
    user = await run_in_threadpool(people.create_user, runtime, actor, enterprise_id, body.model)
    return json_response(user_answer(user))


@router.post(
    "/enterprises/{enterprise_id}/tokens",
    summary="Make a token for a member of an enterprise; its value is in this answer only",
    response_model=TokenAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(TokenRequest),
)
async def create_token(request: Request, actor: ActingOperator, enterprise_id: str) -> Response:
    body = await read_body(request, TokenRequest)
    runtime = request.app.state.runtime
    issued = await run_in_threadpool(people.create_token, runtime, actor, enterprise_id, body.model)
    return json_response(token_answer(issued))


@router.delete(
    "/tokens/{token_id}",
    summary="Revoke a token, at once and for good",
    status_code=204,
    response_class=Response,
    responses=may_answer(401, 404),
)
async def revoke_token(request: Request, actor: ActingOperator, token_id: str) -> Response:
    await run_in_threadpool(people.revoke_token, request.app.state.runtime, actor, token_id)
    return Response(status_code=204)
