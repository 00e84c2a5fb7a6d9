"""FastAPI dependencies that stand before every route: who is calling, and may they. Protocol §2."""

from __future__ import annotations

import hmac
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clearwindow.access import rules, store
from clearwindow.access.signer import address_of, signer_of
from clearwindow.access.values import Member, Operator, Scope, Token
from clearwindow.errors import InvalidRequestError, NotAuthenticatedError
from clearwindow.http.limits import visit_of
from clearwindow.http.problems import request_id_of
from clearwindow.runtime import Runtime

BOOTSTRAP_OPERATOR: Final = "bootstrap"
_bearer: Final = HTTPBearer(auto_error=False, scheme_name="bearer", description="A token made by the operator.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def reading_member(request: Request, enterprise_id: str, bearer: Bearer) -> Member:
    """The member that calls, allowed to read."""
    return _member(request, enterprise_id, bearer, (Scope.READ,))


def writing_member(request: Request, enterprise_id: str, bearer: Bearer) -> Member:
    """The member that calls, allowed to read and to write."""
    return _member(request, enterprise_id, bearer, (Scope.READ, Scope.WRITE))


def reading_holder(request: Request, bearer: Bearer) -> Member:
    """The same where the path names no enterprise: the caller's own is meant."""
    return _member(request, None, bearer, (Scope.READ,))


def writing_holder(request: Request, bearer: Bearer) -> Member:
    return _member(request, None, bearer, (Scope.READ, Scope.WRITE))


def acting_operator(request: Request, bearer: Bearer) -> Operator:
    runtime: Runtime = request.app.state.runtime
    presented = _presented(request, bearer)
    with runtime.transaction() as tx:
        bootstrap = runtime.operator_token_sha256
        if bootstrap and hmac.compare_digest(bootstrap, presented):
            record = store.find_operator_by_name(tx, BOOTSTRAP_OPERATOR)
            if record is None:
                raise LookupError("the bootstrap operator is made when the server starts")
            _recognise(request, f"operator {record.id}", limited=False)
            return Operator(record.id, record.name, request_id_of(request))
        token = _usable(request, runtime, store.find_token(tx, presented))
    if token.operator_id is None or token.operator_name is None:
        raise NotAuthenticatedError("not_an_operator", "this API takes an operator's token")
    return Operator(token.operator_id, token.operator_name, request_id_of(request))


def _member(
    request: Request,
    named: str | None,
    bearer: HTTPAuthorizationCredentials | None,
    needed: tuple[Scope, ...],
) -> Member:
    runtime: Runtime = request.app.state.runtime
    presented = _presented(request, bearer)
    with runtime.transaction() as tx:
        token = _usable(request, runtime, store.find_token(tx, presented))
    enterprise_id = rules.require_member(token, named)
    rules.require_permission(token, needed)
    header = request.headers.get("enterprise-id")
    if header is not None and header != enterprise_id:
        raise InvalidRequestError(
            "enterprise_header_differs",
            "the enterprise-id header names another enterprise than the path or the token",
        )
    if token.user_id is None:
        raise LookupError("a token of an enterprise has a user")
    return Member(enterprise_id, token.user_id, request_id_of(request))


def _presented(request: Request, bearer: HTTPAuthorizationCredentials | None) -> bytes:
    """The hash of the token that the caller has shown, or has signed with."""
    signer = signer_of(request)
    if signer is not None:
        return signer
    if bearer is None or not bearer.credentials:
        raise NotAuthenticatedError("token_missing", "send the header Authorization: Bearer <token>")
    return rules.token_sha256(bearer.credentials)


def _usable(request: Request, runtime: Runtime, token: Token | None) -> Token:
    try:
        usable = rules.require_usable(token, runtime.clock.now(), address_of(request))
        rules.require_proof(usable, signed=signer_of(request) is not None)
    except NotAuthenticatedError:
        visit = visit_of(request)
        if visit is not None:
            visit.refuse()
        raise
    if usable.operator_id is not None:
        _recognise(request, f"operator {usable.operator_id}", limited=False)
    else:
        _recognise(request, f"enterprise {usable.enterprise_id}", limited=True)
    return usable


def _recognise(request: Request, owner: str, *, limited: bool) -> None:
    visit = visit_of(request)
    if visit is not None:
        visit.recognise(owner, limited=limited)


ReadingMember = Annotated[Member, Depends(reading_member)]
WritingMember = Annotated[Member, Depends(writing_member)]
ReadingHolder = Annotated[Member, Depends(reading_holder)]
WritingHolder = Annotated[Member, Depends(writing_holder)]
ActingOperator = Annotated[Operator, Depends(acting_operator)]
