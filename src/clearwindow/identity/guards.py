"""FastAPI dependencies that run before every route: who is calling, and what may they do. Protocol §2."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clearwindow.api.capacity import in_thread
from clearwindow.api.request import (
    address_of,
    note_caller,
    note_guard,
    operation_of,
    request_id_of,
    runtime_of,
    signer_of,
    visit_of,
)
from clearwindow.api.routing import Route
from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError
from clearwindow.core.work import Work
from clearwindow.identity import programs, roles, rules, store
from clearwindow.identity.callers import member_of, operator_of
from clearwindow.identity.models import Member, Operator, Token

T = TypeVar("T")
_bearer: Final = HTTPBearer(auto_error=False, scheme_name="bearer", description="A token made by the operator.")
OPERATOR_PREFIX: Final = "/api/operator/v1"
NETWORK_V1: Final = "/api/network/v1/enterprises/{enterprise_id}"
WHOAMI: Final = "/api/network/v1/whoami"
NETWORK_V2: Final = "/api/network/v2/enterprises/{enterprise_id}"
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def calling_member(request: Request, enterprise_id: str, bearer: Bearer) -> Member:
    """Admits a member of the enterprise in the path. GET needs the read scope, other methods both scopes."""
    return await _let_in(request, partial(_member, request, enterprise_id, bearer))


async def token_holder(request: Request, bearer: Bearer) -> Member:
    """Admits a member in the same way if the path names no enterprise: the token's enterprise is used."""
    return await _let_in(request, partial(_member, request, None, bearer))


async def acting_operator(request: Request, bearer: Bearer) -> Operator:
    """Admits an operator."""
    return await _let_in(request, partial(_operator, request, bearer))


async def token_in_force(request: Request, bearer: Bearer) -> Token:
    """Admits whoever shows a token that is in force, whatever it may do."""
    return await _let_in(request, partial(_token_in_force, request, bearer))


async def token_of_call(request: Request, bearer: Bearer) -> Token | None:
    """Returns the token of a call that a guard has admitted; None if it is the one in the settings."""
    return await in_thread(Work.ORDINARY, partial(_token, request, bearer))


async def _let_in(request: Request, guard: Callable[[], T]) -> T:
    note_guard(request.scope, guard)
    return await in_thread(Work.ORDINARY, guard)


def member_router(tag: str, prefix: str = "") -> APIRouter:
    """Returns a router for routes of members. The guard admits the caller before a body is read."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, dependencies=[Depends(calling_member)])


def holder_router(tag: str, prefix: str = "") -> APIRouter:
    """Returns a router for routes of members whose paths name no enterprise."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, dependencies=[Depends(token_holder)])


def token_router(tag: str) -> APIRouter:
    """Returns a router for routes that every token may use, with any scope and without a licence."""
    return APIRouter(tags=[tag], route_class=Route, dependencies=[Depends(token_in_force)])


def operator_router(tag: str) -> APIRouter:
    """Returns a router for routes of operators, all under ``/api/operator/v1``."""
    guard = [Depends(acting_operator)]
    return APIRouter(prefix=OPERATOR_PREFIX, tags=[f"operator: {tag}"], route_class=Route, dependencies=guard)


def _operator(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Operator:
    runtime = runtime_of(request)
    presented = _presented(request, bearer)
    with runtime.transaction() as tx:
        bootstrap = runtime.operator_token_sha256
        if bootstrap and hmac.compare_digest(bootstrap, presented):
            record = store.find_bootstrap_operator(tx)
            if record is not None:
                return _admitted(request, Operator(record.id, record.name, request_id_of(request), record.role))
        token = _usable(request, store.find_token(tx, presented), tx.now())
    operator = operator_of(token, request_id_of(request))
    programs.require_use(token, operation_of(request))
    return _admitted(request, operator)


def _admitted(request: Request, operator: Operator) -> Operator:
    note_caller(request.scope, operator_id=str(operator.operator_id), role=str(operator.role))
    roles.require_operator_role(operator.role, operation_of(request))
    return operator


def _member(request: Request, named: str | None, bearer: HTTPAuthorizationCredentials | None) -> Member:
    runtime = runtime_of(request)
    presented = _presented(request, bearer)
    token, now = runtime.database.look_up(lambda tx: (store.find_token(tx, presented), tx.now()))
    token = _usable(request, token, now)
    enterprise_id = rules.require_member(token, named)
    rules.require_permission(token, rules.needed_scopes(request.method))
    member = member_of(token, enterprise_id, request_id_of(request))
    note_caller(request.scope, role=str(member.role))
    roles.require_member_role(member.role, operation_of(request))
    header = request.headers.get("enterprise-id")
    if header is not None and header != enterprise_id:
        raise InvalidRequestError(
            "enterprise_header_differs",
            "the enterprise-id header names another enterprise than the path or the token",
        )
    return member


def _token(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Token | None:
    presented = _presented(request, bearer)
    with runtime_of(request).transaction() as tx:
        return store.find_token(tx, presented)


def _token_in_force(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Token:
    presented = _presented(request, bearer)
    with runtime_of(request).transaction() as tx:
        return _usable(request, store.find_token(tx, presented), tx.now())


def _presented(request: Request, bearer: HTTPAuthorizationCredentials | None) -> bytes:
    """Returns the hash of the token that the caller sent or signed with."""
    signer = signer_of(request)
    if signer is not None:
        return signer
    if bearer is None or not bearer.credentials:
        raise NotAuthenticatedError("token_missing", "send the header Authorization: Bearer <token>")
    return rules.token_sha256(bearer.credentials)


def _usable(request: Request, token: Token | None, now: datetime) -> Token:
    try:
        usable = rules.require_usable(token, now, address_of(request))
        rules.require_proof(usable, signed=signer_of(request) is not None)
    except NotAuthenticatedError:
        visit = visit_of(request)
        if visit is not None:
            visit.forget()
        raise
    note_token(request, usable)
    return usable


def note_token(request: Request, token: Token) -> None:
    """Tells the log whose token it is. Only after its holder has proved to have it: before, anybody may name it."""
    note_caller(
        request.scope,
        token_id=str(token.id),
        enterprise_id=token.enterprise_id,
        user_id=token.user_id,
        operator_id=None if token.operator_id is None else str(token.operator_id),
    )


CallingMember = Annotated[Member, Depends(calling_member)]
TokenHolder = Annotated[Member, Depends(token_holder)]
TokenInForce = Annotated[Token, Depends(token_in_force)]
TokenOfCall = Annotated[Token | None, Depends(token_of_call)]
ActingOperator = Annotated[Operator, Depends(acting_operator)]
