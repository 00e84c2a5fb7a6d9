"""Members ask who they are, and list and revoke their tokens."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, NoContent, ServerRuntime, paged
from clearwindow.identity import rules, tokens
from clearwindow.identity.directory import schemas, views
from clearwindow.identity.guards import (
    NETWORK_V1,
    WHOAMI,
    CallingMember,
    TokenInForce,
    member_router,
    token_router,
)

router: Final = member_router("tokens", NETWORK_V1)
whoami_router: Final = token_router("tokens")


@whoami_router.get(
    WHOAMI,
    operation_id="v1WhoamiGetRoute",
    summary="Say whose token this is",
    responses=may_raise("not_a_member"),
)
def whoami(runtime: ServerRuntime, token: TokenInForce) -> schemas.MemberIdentity:
    """Returns the enterprise, the user, the role, and what the token may do. It needs no scope and no licence."""
    rules.require_member(token, None)
    return schemas.member_identity(views.known_member(runtime, token))


@router.get("/tokens", operation_id="v1TokensGetRoute", summary="List your tokens, without their values")
def list_tokens(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.MemberTokenFilters]
) -> Answer[schemas.TokensAnswer]:
    """Newest first. Administrators of the enterprise see the tokens of all its users."""
    found = views.list_tokens_of(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.tokens_answer(found.items), found, filters)


@router.get(
    "/tokens/{token_id}",
    operation_id="v1TokenGetRoute",
    summary="Get one of your tokens, without its value",
    responses=may_raise("token_unknown"),
)
def get_token(runtime: ServerRuntime, member: CallingMember, token_id: str) -> schemas.ListedTokenAnswer:
    """A token that you may not see is answered as one that does not exist."""
    return schemas.listed_token_answer(views.get_token(runtime, member, token_id))


@router.delete(
    "/tokens/{token_id}",
    operation_id="v1TokenDeleteRoute",
    summary="Revoke one of your tokens",
    status_code=204,
    responses=may_raise("token_unknown"),
)
def revoke_token(runtime: ServerRuntime, member: CallingMember, token_id: str) -> NoContent:
    """It is refused from now on and cannot be restored. Administrators revoke every token of their enterprise."""
    tokens.revoke_token(runtime, member, token_id)
    return NoContent()
