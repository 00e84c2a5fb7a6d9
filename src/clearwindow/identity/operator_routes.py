"""Operators make operators, enterprises, users and tokens, revoke tokens, and read the audit trail."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, OptionalJsonBody, ServerRuntime, paged
from clearwindow.identity import audit, operators, people_acts, tokens
from clearwindow.identity.act_schemas import PROPOSED, answered
from clearwindow.identity.acts import Asked, perform
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.identity.people_acts import MemberTokenRequest, OperatorToMake, RightsToGive
from clearwindow.identity.schemas import (
    AuditFilters,
    AuditLogAnswer,
    EnterpriseAnswer,
    EnterpriseRequest,
    EnterpriseUpdate,
    OperatorAnswer,
    OperatorRequest,
    OperatorTokenRequest,
    OperatorUpdate,
    TokenAnswer,
    TokenRequest,
    UserAnswer,
    UserRequest,
    UserUpdate,
    audit_log_answer,
    enterprise_answer,
    operator_answer,
    token_answer,
    user_answer,
)

router: Final = operator_router("people")
history_router: Final = operator_router("history")


@router.post(
    "/operators",
    summary="Make an operator",
    responses=may_raise("operator_differs", "operator_look_key", "proposal_differs") | PROPOSED,
)
def create_operator(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[OperatorRequest]
) -> Answer[OperatorAnswer]:
    """If an operator has this name, the answer is that operator. Without a role, it is an administrator."""
    wanted = OperatorToMake(body.model.name, body.model.role)
    done = perform(runtime, actor, people_acts.NEW_OPERATOR, Asked(wanted.name, wanted))
    return answered(done, operator_answer)


@router.patch(
    "/operators/{operator_id}",
    summary="Give an operator another role",
    responses=may_raise("operator_unknown", "last_administrator", "proposal_differs") | PROPOSED,
)
def update_operator(
    runtime: ServerRuntime, actor: ActingOperator, operator_id: str, body: JsonBody[OperatorUpdate]
) -> Answer[OperatorAnswer]:
    """What its tokens may do changes at once. A role that may do more can need another operator's approval."""
    done = perform(runtime, actor, people_acts.OPERATOR_ROLE, Asked(operator_id, body.model.role))
    return answered(done, operator_answer)


@router.post(
    "/operators/{operator_id}/tokens",
    summary="Make a token for an operator",
    responses=may_raise(
        "token_of_a_program",
        "token_of_another_operator",
        "operator_unknown",
        "expiry_passed",
        "token_role_wider",
        "proposal_differs",
    )
    | PROPOSED,
)
def create_operator_token(
    runtime: ServerRuntime, actor: ActingOperator, operator_id: str, body: OptionalJsonBody[OperatorTokenRequest]
) -> Answer[TokenAnswer]:
    """The token's value is shown only in this answer, or collected once from its proposal."""
    asked = Asked(operator_id, operators.allowed_terms(actor, operator_id, body.model.to_model()))
    done = perform(runtime, actor, people_acts.OPERATOR_TOKEN, asked)
    return answered(done, token_answer)


@router.post(
    "/enterprises",
    summary="Make an enterprise",
    responses=may_raise("enterprise_differs", "proposal_differs") | PROPOSED,
)
def create_enterprise(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[EnterpriseRequest]
) -> Answer[EnterpriseAnswer]:
    """If the same body was sent with the same id before, the answer is the same enterprise."""
    asked = body.model.to_model()
    done = perform(runtime, actor, people_acts.NEW_ENTERPRISE, Asked(asked.id or "", asked))
    return answered(done, enterprise_answer)


@router.patch(
    "/enterprises/{enterprise_id}",
    summary="Rename an enterprise, or grant or withdraw its licence",
    responses=may_raise("enterprise_unknown", "proposal_differs") | PROPOSED,
)
def update_enterprise(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[EnterpriseUpdate]
) -> Answer[EnterpriseAnswer]:
    asked = Asked(enterprise_id, body.model.to_model())
    done = perform(runtime, actor, people_acts.LICENCE, asked)
    return answered(done, enterprise_answer)


@router.post(
    "/enterprises/{enterprise_id}/users",
    summary="Make a user of an enterprise",
    responses=may_raise("enterprise_unknown", "user_differs", "proposal_differs") | PROPOSED,
)
def create_user(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[UserRequest]
) -> Answer[UserAnswer]:
    """A user who exists already, with the same id, name and email, becomes a member of this enterprise too.

    Without a role, a new member is an administrator of the enterprise, who may have a custodian key sign. A further
    user, and each one of an enterprise with a licence, can need another operator's approval.
    """
    asked = Asked(enterprise_id, body.model.to_model())
    done = perform(runtime, actor, people_acts.FURTHER_USER, asked)
    return answered(done, user_answer)


@router.patch(
    "/enterprises/{enterprise_id}/users/{user_id}",
    summary="Change what a user may do in an enterprise",
    responses=may_raise("enterprise_unknown", "member_unknown", "last_administrator", "proposal_differs")
    | PROPOSED,
)
def update_user(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, user_id: str, body: JsonBody[UserUpdate]
) -> Answer[UserAnswer]:
    """What the user's tokens may do changes at once. The enterprise gets an event.

    More rights can need another operator's approval.
    """
    wanted = RightsToGive(user_id, body.model.to_model())
    done = perform(runtime, actor, people_acts.MEMBER_RIGHTS, Asked(enterprise_id, wanted))
    return answered(done, user_answer)


@router.post(
    "/enterprises/{enterprise_id}/tokens",
    summary="Make a token for a member of an enterprise",
    responses=may_raise(
        "enterprise_unknown", "user_not_a_member", "expiry_passed", "token_role_wider", "proposal_differs"
    )
    | PROPOSED,
)
def create_token(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[TokenRequest]
) -> Answer[TokenAnswer]:
    """The token's value is shown only in this answer, or collected once from its proposal."""
    asked = Asked(enterprise_id, MemberTokenRequest(body.model.user_id, body.model.to_model()))
    done = perform(runtime, actor, people_acts.MEMBER_TOKEN, asked)
    return answered(done, token_answer)


@router.delete(
    "/tokens/{token_id}",
    summary="Revoke a token",
    responses=may_raise("token_unknown", "token_of_another_operator"),
)
def revoke_token(runtime: ServerRuntime, actor: ActingOperator, token_id: str) -> NoContent:
    """It is refused from now on and cannot be restored. An operator's token: by its holder or an administrator."""
    tokens.revoke_token(runtime, actor, token_id)
    return NoContent()


@history_router.get("/audit-log", summary="List who did what in which request, newest first")
def audit_log(runtime: ServerRuntime, filters: Filters[AuditFilters]) -> Answer[AuditLogAnswer]:
    found = audit.list_records(runtime, filters.to_model(), filters.slice)
    return paged(audit_log_answer(found.items), found, filters)
