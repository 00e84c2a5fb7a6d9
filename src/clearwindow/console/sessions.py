"""Sessions: begun with a token, perhaps a code, and ended. What a session may do is what its token may do now."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.api.lookups import Known, Presented
from clearwindow.console import rules, store
from clearwindow.console.models import Door, Holder, Link, Session, Visitor
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.work import Purpose, working_for
from clearwindow.identity import audit
from clearwindow.identity import rules as access
from clearwindow.identity import store as people
from clearwindow.identity.callers import member_of, operator_of
from clearwindow.identity.models import Actor, Operator, Scope, Token
from clearwindow.identity.programs import require_person
from clearwindow.identity.second_factor import service as second_factors
from clearwindow.identity.second_factor.models import FactorStatus
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

_LONGEST_TOKEN: Final = 1024


def sign_in(runtime: Runtime, token: str, door: Door) -> tuple[Visitor, bool]:
    """Begins a session with a token. Returns its visitor, and whether a code of the second factor is needed first.

    Raises:
        InvalidRequestError: there is no token.
        NotAuthenticatedError: the token is not in force, or may not be used from this address.
        PermissionDeniedError: it is a program's, may not read, or is an operator's at a door for members.
    """
    with runtime.transaction() as tx:
        holder = holder_of(runtime, tx, token, door)
    return begin(runtime, holder, runtime.console.wall.now())


def begin(
    runtime: Runtime, holder: Holder, begins_at: datetime, link_id: UUID | None = None
) -> tuple[Visitor, bool]:
    """Begins a session of a token's holder, which counts as begun at this moment."""
    actor = holder.actor
    waits = isinstance(actor, Operator) and (second_factors.state(runtime, actor).status is FactorStatus.CONFIRMED)
    value, now = rules.new_value(), runtime.console.wall.now()
    with runtime.transaction() as tx:
        token_id, proof = tied(runtime, holder.token, value)
        session = Session(tx.new_id(), token_id, proof, waits, begins_at, now)
        store.delete_over(tx, now - runtime.console.idle)
        store.insert(tx, session, rules.value_sha256(value))
        if not waits:
            used = {"linkId": str(link_id)} if link_id else {}
            audit.record(tx, actor, "console.signed_in", session.id, **_used(holder.token), **used)
    return Visitor(session, value, actor, holder.token, holder.name), waits


def tied(runtime: Runtime, token: Token | None, value: str) -> tuple[UUID | None, bytes | None]:
    """Returns what ties a session or a link with this value to its token, or to that of the settings."""
    if token is not None:
        return token.id, None
    return None, rules.settings_proof(value, runtime.operator_token_sha256 or b"")


def give_code(runtime: Runtime, visitor: Visitor, code: str) -> None:
    """Completes a session whose operator has a second factor.

    Raises:
        PermissionDeniedError: the code is wrong or used up.
        TooManyRequestsError: too many codes were wrong.
    """
    operator = visitor.operator
    if operator is None or not visitor.session.waits_for_code:
        return
    second_factors.require_code(runtime, operator, code.strip())
    with runtime.transaction() as tx:
        if store.note_code(tx, visitor.session.id):
            audit.record(tx, operator, "console.signed_in", visitor.session.id, **_used(visitor.token))


def find(runtime: Runtime, value: str | None, door: Door) -> Visitor:
    """Returns who has the session with this value.

    Raises:
        NotAuthenticatedError: there is no such session in force, or its token is not.
        PermissionDeniedError: the token may not read any more, or is an operator's at a door for members.
    """
    known = rules.possible_value(value)
    if known is None:
        raise rules.session_over()
    with runtime.transaction() as tx:
        session, now = store.find(tx, rules.value_sha256(known)), runtime.console.wall.now()
        terms = runtime.console
        if session is None or rules.is_over(session, now, idle=terms.idle, longest=terms.longest):
            raise rules.session_over()
        found = None if session.token_id is None else people.find_token_by_id(tx, session.token_id)
        if found is None:
            operator = _of_settings(runtime, tx, session.settings_proof, known, door)
            return Visitor(session, known, operator, None, operator.name)
        actor, name = _actor(tx, access.require_usable(found, tx.now(), door.address), door)
    return Visitor(session, known, actor, found, name)


def note_seen(runtime: Runtime, session: Session) -> None:
    """Notes that the user of the session is there."""
    now = runtime.console.wall.now()
    if rules.needs_note(session, now):
        with runtime.transaction() as tx:
            store.note_seen(tx, session.id, now)


def sign_out(runtime: Runtime, visitor: Visitor) -> None:
    """Ends the session."""
    with runtime.transaction() as tx:
        if store.delete(tx, visitor.session.id):
            audit.record(tx, visitor.actor, "console.signed_out", visitor.session.id)


def find_known(runtime: Runtime, presented: Sequence[Presented]) -> list[Known | None]:
    """Returns which of these sessions may be in force, for the limits. One statement, however many."""
    now, terms = runtime.console.wall.now(), runtime.console
    with working_for(None, Purpose.READING):
        found = runtime.database.look_up(
            lambda tx: store.known(
                tx,
                {each.token_sha256 for each in presented},
                seen_after=now - terms.idle,
                created_after=now - terms.longest,
            )
        )
    return [_known_of(found.get(each.token_sha256)) for each in presented]


def _known_of(session: store.KnownSession | None) -> Known | None:
    if session is None:
        return None
    if session.enterprise_id is not None:
        return Known(f"enterprise {session.enterprise_id}", limited=True)
    return Known(f"operator {session.operator_id or 'of the settings'}", limited=False)


def holder_of(runtime: Runtime, tx: Transaction, token: str, door: Door) -> Holder:
    """Returns whose token this is.

    Raises:
        InvalidRequestError: there is no token.
        NotAuthenticatedError: the token is not in force, or may not be used from this address.
        PermissionDeniedError: it is a program's, or may not read.
    """
    text = token.strip()
    if not text or len(text) > _LONGEST_TOKEN:
        raise InvalidRequestError("request_invalid", "token: enter the token that your operator gave you")
    token_sha256, bootstrap = access.token_sha256(text), runtime.operator_token_sha256
    if bootstrap and hmac.compare_digest(bootstrap, token_sha256):
        record = people.find_bootstrap_operator(tx)
        if record is not None:
            operator = Operator(record.id, record.name, door.request_id, record.role)
            rules.require_admitted(operator, door.said)
            return Holder(None, operator, record.name)
    found = access.require_usable(people.find_token(tx, token_sha256), tx.now(), door.address)
    access.require_proof(found, signed=False)
    return _holder(tx, found, door)


def holder_again(runtime: Runtime, tx: Transaction, link: Link, value: str, door: Door) -> Holder:
    """Returns whose link this is, if its token is in force still.

    Raises:
        NotAuthenticatedError, PermissionDeniedError: it is not, or may not read any more.
    """
    found = None if link.token_id is None else people.find_token_by_id(tx, link.token_id)
    if found is not None:
        return _holder(tx, access.require_usable(found, tx.now(), door.address), door)
    operator = _of_settings(runtime, tx, link.settings_proof, value, door)
    return Holder(None, operator, operator.name)


def _holder(tx: Transaction, token: Token, door: Door) -> Holder:
    actor, name = _actor(tx, token, door)
    require_person(actor)
    return Holder(token, actor, name)


def _actor(tx: Transaction, token: Token, door: Door) -> tuple[Actor, str]:
    if token.operator_id is not None:
        operator = operator_of(token, door.request_id)
        rules.require_admitted(operator, door.said)
        return operator, operator.name
    enterprise_id = access.require_member(token, None)
    access.require_permission(token, (Scope.READ,))
    member = member_of(token, enterprise_id, door.request_id)
    user = people.find_user(tx, member.user_id)
    return member, user.name if user else member.user_id


def _of_settings(runtime: Runtime, tx: Transaction, proof: bytes | None, value: str, door: Door) -> Operator:
    record = people.find_bootstrap_operator(tx)
    bootstrap = runtime.operator_token_sha256
    if record is None or not bootstrap or proof is None:
        raise rules.session_over()
    if not hmac.compare_digest(proof, rules.settings_proof(value, bootstrap)):
        raise rules.session_over()
    operator = Operator(record.id, record.name, door.request_id, record.role)
    rules.require_admitted(operator, door.said)
    return operator


def _used(token: Token | None) -> dict[str, object]:
    return {"tokenId": str(token.id)} if token else {"tokenOf": "settings"}
