"""Use cases about operators, enterprises, users and tokens: one function, one transaction, one line of the trail.

A repetition that changes nothing leaves no line: the trail says what was done.
"""

from __future__ import annotations

from uuid import UUID

from clearwindow.access import service as access
from clearwindow.access.guards import BOOTSTRAP_OPERATOR
from clearwindow.access.values import Enterprise, IssuedToken, Operator, OperatorRecord, User
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.errors import PermissionDeniedError
from clearwindow.ids import NIL, parse_uuid
from clearwindow.operator.people_wire import (
    EnterpriseRequest,
    EnterpriseUpdate,
    OperatorRequest,
    OperatorTokenRequest,
    TokenRequest,
    UserRequest,
)
from clearwindow.runtime import Runtime


def create_operator(runtime: Runtime, actor: Operator, request: OperatorRequest) -> OperatorRecord:
    with runtime.transaction() as tx:
        operator, made = access.create_operator(tx, runtime.ids.new(), request.name)
        if made:
            audit.record(tx, actor, "operator.created", operator.id, name=operator.name)
    return operator


def create_operator_token(
    runtime: Runtime, actor: Operator, operator_id: str, request: OperatorTokenRequest
) -> IssuedToken:
    _require_own_or_bootstrap(actor, operator_id)
    with runtime.transaction() as tx:
        issued = access.create_operator_token(tx, runtime.ids.new(), _id(operator_id), request.terms())
        audit.record(tx, actor, "token.created", issued.token.id, operatorId=operator_id, **_terms_of(issued))
    return issued


def _require_own_or_bootstrap(actor: Operator, operator_id: str) -> None:
    # With a token of a colleague in hand, one person could be both of the four eyes.
    if actor.name != BOOTSTRAP_OPERATOR and str(actor.operator_id) != operator_id:
        raise PermissionDeniedError(
            "token_of_another_operator",
            "an operator makes tokens for itself only; the first one of a new operator is made with the token"
            " in the settings, or with the command line",
        )


def create_enterprise(runtime: Runtime, actor: Operator, request: EnterpriseRequest) -> Enterprise:
    with runtime.transaction() as tx:
        now = tx.now()
        wanted = Enterprise(
            id=request.id or str(runtime.ids.new()),
            name=request.name,
            trust_org=request.trust_org,
            licensed=request.licensed,
            created_at=now,
            updated_at=now,
        )
        enterprise, made = access.create_enterprise(tx, wanted)
        if made:
            details = {"name": enterprise.name, "trustOrg": enterprise.trust_org}
            audit.record(tx, actor, "enterprise.created", enterprise.id, licensed=enterprise.licensed, **details)
    return enterprise


def update_enterprise(
    runtime: Runtime, actor: Operator, enterprise_id: str, request: EnterpriseUpdate
) -> Enterprise:
    with runtime.transaction() as tx:
        enterprise = access.update_enterprise(tx, enterprise_id, name=request.name, licensed=request.licensed)
        given = request.model_dump(by_alias=True, exclude_none=True)
        audit.record(tx, actor, "enterprise.updated", enterprise.id, **given)
    return enterprise


def create_user(runtime: Runtime, actor: Operator, enterprise_id: str, request: UserRequest) -> User:
    with runtime.transaction() as tx:
        wanted = User(request.id or str(runtime.ids.new()), request.name, request.email, tx.now())
        user, made = access.create_user(tx, enterprise_id, wanted)
        if made:
            audit.record(tx, actor, "user.added", user.id, enterpriseId=enterprise_id, name=user.name)
    return user


def create_token(runtime: Runtime, actor: Operator, enterprise_id: str, request: TokenRequest) -> IssuedToken:
    with runtime.transaction() as tx:
        issued = access.create_token(runtime, tx, enterprise_id, request.user_id, request.terms())
        holder = {"enterpriseId": enterprise_id, "userId": request.user_id}
        audit.record(tx, actor, "token.created", issued.token.id, **holder, **_terms_of(issued))
    return issued


def revoke_token(runtime: Runtime, actor: Operator, token_id: str) -> None:
    with runtime.transaction() as tx:
        if access.revoke_token(tx, _id(token_id)):
            audit.record(tx, actor, "token.revoked", token_id)


def _id(text: str) -> UUID:
    """The id in a path; what cannot be an id is one that nothing has."""
    return parse_uuid(text) or NIL


def _terms_of(issued: IssuedToken) -> dict[str, object]:
    token = issued.token
    return {
        "label": token.label,
        "kind": token.kind,
        "scopes": sorted(token.scopes),
        "ipAllowList": [str(network) for network in token.ip_allow_list],
        "expiresAt": wire_time(token.expires_at) if token.expires_at else None,
    }
