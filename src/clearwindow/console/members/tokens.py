"""The tokens of an enterprise: those that the visitor may see, and revoking one."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.identity.directory.routes import list_tokens, revoke_token

pages: Final = Pages(for_operators=False)


@pages.shows("/tokens")
def tokens(visit: Visit) -> Response:
    wanted = visit.filters("active", "userIds")
    if not visit.request.query_params:
        wanted |= {"active": "true"}
    found = visit.desk.listed(list_tokens, wanted, "v1TokensGetRoute")
    own = visit.visitor.token
    return visit.show(
        "members/tokens.html",
        found=found,
        wanted=wanted,
        own=str(own.id) if own else "",
        user=visit.visitor.actor.actor_id,
    )


@pages.does("/tokens/{token_id}/revoke", tokens)
def revoke(visit: Visit) -> Response:
    visit.desk.act(revoke_token, {}, "v1TokenDeleteRoute", token_id=visit.path_ids["token_id"])
    return visit.go_to(f"{PREFIX}/tokens", "token_revoked")
