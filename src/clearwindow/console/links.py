"""Links that sign in once, in another browser, without the token being entered there. Protocol §2."""

from __future__ import annotations

from datetime import datetime

from clearwindow.console import rules, sessions, store
from clearwindow.console.models import Door, Holder, Link, Visitor
from clearwindow.identity import audit
from clearwindow.runtime import Runtime


def make(runtime: Runtime, visitor: Visitor) -> str:
    """Returns the value of a link for the visitor's token. Its session ends no later than the visitor's could."""
    holder = Holder(visitor.token, visitor.actor, visitor.name)
    return _made(runtime, holder, visitor.session.created_at)


def make_with_token(runtime: Runtime, token: str, door: Door) -> str:
    """Returns the value of a link for this token.

    Raises:
        InvalidRequestError, NotAuthenticatedError, PermissionDeniedError: as for signing in with it.
    """
    with runtime.transaction() as tx:
        holder = sessions.holder_of(runtime, tx, token, door)
    return _made(runtime, holder, runtime.console.wall.now())


def use(runtime: Runtime, value: str, door: Door) -> tuple[Visitor, bool]:
    """Begins a session with a link, and uses the link up. Returns as ``sessions.sign_in`` does.

    Raises:
        NotAuthenticatedError: the link was used, has ended or never was, or its token is not in force any more.
        PermissionDeniedError: the token may not read any more.
    """
    known = rules.possible_value(value)
    if known is None:
        raise rules.link_over()
    with runtime.transaction() as tx:
        link = store.take_link(tx, rules.value_sha256(known))
        if link is None or runtime.console.wall.now() >= link.ends_at:
            raise rules.link_over()
        holder = sessions.holder_again(runtime, tx, link, known, door)
    return sessions.begin(runtime, holder, link.begins_at, link.id)


def _made(runtime: Runtime, holder: Holder, begins_at: datetime) -> str:
    value, now = rules.new_value(), runtime.console.wall.now()
    token_id, proof = sessions.tied(runtime, holder.token, value)
    with runtime.transaction() as tx:
        link = Link(tx.new_id(), token_id, proof, begins_at, now + rules.LINK_LASTS)
        store.delete_links_over(tx, now)
        store.insert_link(tx, link, rules.value_sha256(value))
        audit.record(tx, holder.actor, "console.link_made", link.id)
    return value
