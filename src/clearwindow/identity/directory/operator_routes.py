"""Operators list people and tokens, get one of them, and take people away."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, NoContent, ServerRuntime, paged
from clearwindow.identity.directory import removal, schemas, views
from clearwindow.identity.guards import ActingOperator, TokenOfCall, operator_router
from clearwindow.identity.schemas import EnterpriseAnswer, enterprise_answer

router: Final = operator_router("people")


@router.get("/whoami", operation_id="whoamiOperator", summary="Say whose token this is")
def whoami(runtime: ServerRuntime, actor: ActingOperator, token: TokenOfCall) -> schemas.OperatorIdentity:
    return schemas.operator_identity(views.known_operator(runtime, actor, token), actor)


@router.get("/enterprises", summary="List enterprises, newest first")
def list_enterprises(
    runtime: ServerRuntime, filters: Filters[schemas.EnterpriseFilters]
) -> Answer[schemas.EnterprisesAnswer]:
    found = views.list_enterprises(runtime, filters.to_model(), filters.slice)
    return paged(schemas.enterprises_answer(found.items), found, filters)


@router.get("/enterprises/{enterprise_id}", summary="Get one enterprise", responses=may_raise("enterprise_unknown"))
def get_enterprise(runtime: ServerRuntime, enterprise_id: str) -> EnterpriseAnswer:
    return enterprise_answer(views.get_enterprise(runtime, enterprise_id))


@router.get("/users", summary="List users, newest first")
def list_users(runtime: ServerRuntime, filters: Filters[schemas.UserFilters]) -> Answer[schemas.UsersAnswer]:
    """A user may be a member of several enterprises: GET /memberships lists where."""
    found = views.list_users(runtime, filters.to_model(), filters.slice)
    return paged(schemas.users_answer(found.items), found, filters)


@router.get("/users/{user_id}", summary="Get one user", responses=may_raise("user_unknown"))
def get_user(runtime: ServerRuntime, user_id: str) -> schemas.ListedUserAnswer:
    return schemas.listed_user_answer(views.get_user(runtime, user_id))


@router.get("/memberships", summary="List who is or was a member of which enterprise, newest first")
def list_memberships(
    runtime: ServerRuntime, filters: Filters[schemas.MembershipFilters]
) -> Answer[schemas.MembershipsAnswer]:
    """Former members have ``removedAt``."""
    found = views.list_memberships(runtime, filters.to_model(), filters.slice)
    return paged(schemas.memberships_answer(found.items), found, filters)


@router.delete(
    "/enterprises/{enterprise_id}/users/{user_id}",
    summary="Remove a member from an enterprise",
    responses=may_raise("enterprise_unknown", "member_unknown"),
)
def remove_member(runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, user_id: str) -> NoContent:
    """The member's tokens of this enterprise are refused from now on. Whoever comes back needs new ones."""
    removal.remove_member(runtime, actor, enterprise_id, user_id)
    return NoContent()


@router.get("/operators", summary="List operators, newest first")
def list_operators(
    runtime: ServerRuntime, filters: Filters[schemas.OperatorFilters]
) -> Answer[schemas.OperatorsAnswer]:
    """Former operators have ``removedAt``."""
    found = views.list_operators(runtime, filters.to_model(), filters.slice)
    return paged(schemas.operators_answer(found.items), found, filters)


@router.get("/operators/{operator_id}", summary="Get one operator", responses=may_raise("operator_unknown"))
def get_operator(runtime: ServerRuntime, operator_id: str) -> schemas.ListedOperatorAnswer:
    return schemas.listed_operator_answer(views.get_operator(runtime, operator_id))


@router.delete(
    "/operators/{operator_id}",
    summary="Remove an operator",
    responses=may_raise("operator_unknown", "last_administrator", "operator_of_settings"),
)
def remove_operator(runtime: ServerRuntime, actor: ActingOperator, operator_id: str) -> NoContent:
    """Its tokens are refused from now on. Whoever comes back under the name has the same id and needs new ones."""
    removal.remove_operator(runtime, actor, operator_id)
    return NoContent()


@router.get("/tokens", summary="List tokens, newest first, without their values")
def list_tokens(runtime: ServerRuntime, filters: Filters[schemas.TokenFilters]) -> Answer[schemas.TokensAnswer]:
    """Revoked tokens and those of former members and operators have ``revokedAt``."""
    found = views.list_tokens(runtime, filters.to_model(), filters.slice)
    return paged(schemas.tokens_answer(found.items), found, filters)


@router.get("/tokens/{token_id}", summary="Get one token, without its value", responses=may_raise("token_unknown"))
def get_token(runtime: ServerRuntime, actor: ActingOperator, token_id: str) -> schemas.ListedTokenAnswer:
    return schemas.listed_token_answer(views.get_token(runtime, actor, token_id))
