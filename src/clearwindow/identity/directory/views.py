"""Reads of the directory: for operators everything, for members their own tokens."""

from __future__ import annotations

from dataclasses import replace

from clearwindow.core.errors import NotFoundError
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity import opening, roles
from clearwindow.identity import store as people
from clearwindow.identity.directory import rules, store
from clearwindow.identity.directory.models import (
    EnterpriseFilter,
    KnownMember,
    KnownOperator,
    Membership,
    MembershipFilter,
    OperatorFilter,
    TokenFilter,
    UserFilter,
)
from clearwindow.identity.enterprises import require_enterprise
from clearwindow.identity.models import Actor, Enterprise, Member, MemberRole, Operator, OperatorRecord, Token, User
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def list_enterprises(runtime: Runtime, wanted: EnterpriseFilter, part: Slice) -> Listing[Enterprise]:
    with runtime.transaction() as tx:
        return store.list_enterprises(tx, wanted, part)


def get_enterprise(runtime: Runtime, enterprise_id: str) -> Enterprise:
    with runtime.transaction() as tx:
        return require_enterprise(tx, enterprise_id)


def list_users(runtime: Runtime, wanted: UserFilter, part: Slice) -> Listing[User]:
    with runtime.transaction() as tx:
        return store.list_users(tx, wanted, part)


def get_user(runtime: Runtime, user_id: str) -> User:
    with runtime.transaction() as tx:
        found = people.find_user(tx, user_id)
    if found is None:
        raise NotFoundError("user_unknown", "there is no user with this id")
    return found


def list_memberships(runtime: Runtime, wanted: MembershipFilter, part: Slice) -> Listing[Membership]:
    with runtime.transaction() as tx:
        return store.list_memberships(tx, wanted, part)


def list_operators(runtime: Runtime, wanted: OperatorFilter, part: Slice) -> Listing[OperatorRecord]:
    with runtime.transaction() as tx:
        return store.list_operators(tx, wanted, part)


def get_operator(runtime: Runtime, operator_id: str) -> OperatorRecord:
    with runtime.transaction() as tx:
        found = people.find_operator(tx, parse_uuid(operator_id) or NIL)
    if found is None:
        raise NotFoundError("operator_unknown", "there is no operator with this id")
    return found


def list_tokens(runtime: Runtime, wanted: TokenFilter, part: Slice) -> Listing[Token]:
    with runtime.transaction() as tx:
        return store.list_tokens(tx, wanted, part)


def list_tokens_of(runtime: Runtime, member: Member, wanted: TokenFilter, part: Slice) -> Listing[Token]:
    """Returns tokens of the member's enterprise: to its administrators all of them, to others their own."""
    own = replace(wanted, enterprise_ids=[member.enterprise_id])
    if member.role is not MemberRole.ADMINISTRATOR:
        asked = wanted.user_ids
        own = replace(own, user_ids=[member.user_id] if asked is None or member.user_id in asked else [])
    return list_tokens(runtime, own, part)


def get_token(runtime: Runtime, actor: Actor, token_id: str) -> Token:
    """Returns a token. One that the caller may not know of is answered as one that does not exist."""
    with runtime.transaction() as tx:
        found = people.find_token_by_id(tx, parse_uuid(token_id) or NIL)
    if found is None or not rules.sees_token(actor, found):
        raise NotFoundError("token_unknown", "there is no token with this id")
    return found


def known_member(runtime: Runtime, token: Token) -> KnownMember:
    """Returns who calls with this token, which is one of a member."""
    with runtime.transaction() as tx:
        enterprise = people.find_enterprise(tx, token.enterprise_id or "")
        user = people.find_user(tx, token.user_id or "")
    if enterprise is None or user is None or token.member_role is None:
        raise LookupError("a token of an enterprise has a user, who is its member")
    own = None if token.role is None else MemberRole(token.role)
    return KnownMember(enterprise, user, roles.narrowed(token.member_role, own), token)


def known_operator(runtime: Runtime, actor: Operator, token: Token | None) -> KnownOperator:
    """Returns who calls as an operator."""
    with runtime.transaction() as tx:
        found = people.find_operator(tx, actor.operator_id)
        opened = people.find_opening(tx)
    if found is None:
        raise LookupError("an operator who calls is stored")
    return KnownOperator(found, token, opening.mode_of(runtime, opened), opening.is_alone(opened))
