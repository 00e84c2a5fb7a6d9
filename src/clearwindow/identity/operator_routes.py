"""Operators make operators, enterprises, users and tokens, revoke tokens, and read the audit trail."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, OptionalJsonBody, ServerRuntime, counted
from clearwindow.identity import audit, enterprises, operators, tokens
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.identity.schemas import (
    AuditFilters,
    AuditLogAnswer,
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
    audit_log_answer,
    enterprise_answer,
    operator_answer,
    token_answer,
    user_answer,
)

router: Final = operator_router("people")
history_router: Final = operator_router("history")


@router.post("/operators", summary="Make an operator")
def create_operator(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[OperatorRequest]
) -> OperatorAnswer:
    """If an operator has this name, the answer is that operator."""
    return operator_answer(operators.create_operator(runtime, actor, body.model.name))


@router.post(
    "/operators/{operator_id}/tokens",
    summary="Make a token for an operator",
    responses=may_raise("token_of_a_program", "token_of_another_operator", "operator_unknown", "expiry_passed"),
)
def create_operator_token(
    runtime: ServerRuntime, actor: ActingOperator, operator_id: str, body: OptionalJsonBody[OperatorTokenRequest]
) -> TokenAnswer:
    """The token's value is shown only in this answer."""
    return token_answer(operators.create_operator_token(runtime, actor, operator_id, body.model.to_model()))


@router.post(
    "/enterprises",
    summary="Make an enterprise",
    responses=may_raise("enterprise_differs"),
)
def create_enterprise(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[EnterpriseRequest]
) -> EnterpriseAnswer:
    """If the same body was sent with the same id before, the answer is the same enterprise."""
    return enterprise_answer(enterprises.create_enterprise(runtime, actor, body.model.to_model()))


@router.patch(
    "/enterprises/{enterprise_id}",
    summary="Rename an enterprise, or grant or withdraw its licence",
    responses=may_raise("enterprise_unknown"),
)
def update_enterprise(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[EnterpriseUpdate]
) -> EnterpriseAnswer:
    changed = enterprises.update_enterprise(runtime, actor, enterprise_id, body.model.to_model())
    return enterprise_answer(changed)


@router.post(
    "/enterprises/{enterprise_id}/users",
    summary="Make a user of an enterprise",
    responses=may_raise("enterprise_unknown", "user_differs"),
)
def create_user(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[UserRequest]
) -> UserAnswer:
    """A user who exists already, with the same id, name and email, becomes a member of this enterprise too."""
    return user_answer(enterprises.create_user(runtime, actor, enterprise_id, body.model.to_model()))


@router.post(
    "/enterprises/{enterprise_id}/tokens",
    summary="Make a token for a member of an enterprise",
    responses=may_raise("enterprise_unknown", "user_not_a_member", "expiry_passed"),
)
def create_token(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[TokenRequest]
) -> TokenAnswer:
    """The token's value is shown only in this answer."""
    asked = body.model
    return token_answer(tokens.create_token(runtime, actor, enterprise_id, asked.user_id, asked.to_model()))


@router.delete(
    "/tokens/{token_id}",
    summary="Revoke a token",
    responses=may_raise("token_unknown"),
)
def revoke_token(runtime: ServerRuntime, actor: ActingOperator, token_id: str) -> NoContent:
    """The token is refused from now on and cannot be restored."""
    tokens.revoke_token(runtime, actor, token_id)
    return NoContent()


@history_router.get("/audit-log", summary="List who did what in which request, newest first")
def audit_log(runtime: ServerRuntime, filters: Filters[AuditFilters]) -> Answer[AuditLogAnswer]:
    found = audit.list_records(runtime, filters.to_model())
    return counted(audit_log_answer(found.items), found.total)
