"""Enterprises and their users. A use case writes an audit record if it changes anything.

What may have to be proposed takes the transaction in which it is carried out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from clearwindow.core.errors import ConflictError, NotFoundError
from clearwindow.events.models import EventType
from clearwindow.identity import audit, events, store
from clearwindow.identity.memberships import rights_of, with_change
from clearwindow.identity.models import (
    Enterprise,
    EnterpriseChange,
    MemberRecord,
    Membership,
    MembershipChange,
    NewEnterprise,
    NewUser,
    Operator,
    User,
)
from clearwindow.postgres.pool import Transaction

_AS_IT_IS: Final = MembershipChange()


def create_enterprise(tx: Transaction, actor: Operator, asked: NewEnterprise) -> Enterprise:
    """Makes an enterprise. A repeated request with the same id returns the same enterprise.

    Raises:
        ConflictError: another enterprise has the id.
    """
    now = tx.now()
    wanted = Enterprise(
        id=asked.id or str(tx.new_id()),
        name=asked.name,
        trust_org=asked.trust_org,
        licensed=asked.licensed,
        created_at=now,
        updated_at=now,
    )
    enterprise, made = ensure_enterprise(tx, wanted)
    if made:
        details = {"name": enterprise.name, "trustOrg": enterprise.trust_org}
        audit.record(tx, actor, "enterprise.created", enterprise.id, licensed=enterprise.licensed, **details)
    return enterprise


def update_enterprise(tx: Transaction, actor: Operator, enterprise_id: str, change: EnterpriseChange) -> Enterprise:
    """Renames an enterprise, or grants or withdraws its licence.

    Raises:
        NotFoundError: there is no such enterprise.
    """
    enterprise = _known(store.update_enterprise(tx, enterprise_id, name=change.name, licensed=change.licensed))
    given = {"name": change.name, "licensed": change.licensed}
    details = {name: value for name, value in given.items() if value is not None}
    audit.record(tx, actor, "enterprise.updated", enterprise.id, **details)
    told = {"name": enterprise.name, "licensed": enterprise.licensed}
    events.of_enterprise(tx, EventType.ENTERPRISE_UPDATED, enterprise.id, told)
    return enterprise


def create_user(tx: Transaction, actor: Operator, enterprise_id: str, asked: NewUser) -> MemberRecord:
    """Makes a user, or makes an existing user a member of one more enterprise. The other members are told.

    Raises:
        NotFoundError: there is no such enterprise.
        ConflictError: a user with another name or address has the id, or the member has other rights.
    """
    # Under this lock no other user is added, so that the first one is known.
    lock_enterprise(tx, enterprise_id)
    has_others = store.has_had_members(tx, enterprise_id)
    wanted = User(asked.id or str(tx.new_id()), asked.name, asked.email, tx.now())
    member, added = add_user(tx, enterprise_id, wanted, asked.rights)
    if added:
        named = {"name": member.user.name, **rights_of(member.membership)}
        audit.record(tx, actor, "user.added", member.user.id, enterpriseId=enterprise_id, **named)
        if has_others:
            told = {"userName": member.user.name, **rights_of(member.membership)}
            events.of_member(tx, EventType.MEMBER_ADDED, enterprise_id, member.user.id, told)
    return member


def require_same_user(tx: Transaction, wanted: NewUser) -> None:
    """Checks that the id that was chosen is nobody else's.

    Raises:
        ConflictError: a user with another name or address has it.
    """
    found = None if wanted.id is None else store.find_user(tx, wanted.id)
    if found is not None:
        _require_same(found, wanted.name, wanted.email)


def require_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise:
    """Returns the enterprise.

    Raises:
        NotFoundError: there is no such enterprise.
    """
    return _known(store.find_enterprise(tx, enterprise_id))


def lock_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise:
    """Returns the enterprise, locked until the transaction ends, for decisions about all that belongs to it.

    Raises:
        NotFoundError: there is no such enterprise.
    """
    return _known(store.lock_enterprise(tx, enterprise_id))


def add_user(
    tx: Transaction, enterprise_id: str, wanted: User, rights: MembershipChange = _AS_IT_IS
) -> tuple[MemberRecord, bool]:
    """Makes the user a member of the enterprise. Returns the member, and whether anything was made."""
    require_enterprise(tx, enterprise_id)
    user, made = _ensure_user(tx, wanted)
    membership = with_change(Membership(enterprise_id, user.id), rights)
    joined = store.insert_membership(tx, membership)
    if not joined:
        found = store.find_membership(tx, enterprise_id, user.id)
        if found is None:
            raise LookupError("the user is a member and cannot be read")
        if with_change(found, rights) != found:
            raise ConflictError(
                "user_differs",
                f"the user {user.id} is a member of the enterprise already, with another role or right: change it"
                " with PATCH",
            )
        membership = found
    return MemberRecord(user, membership), made or joined


def ensure_enterprise(tx: Transaction, wanted: Enterprise) -> tuple[Enterprise, bool]:
    """Returns the enterprise with the wanted id, and whether this call made it."""
    if store.insert_enterprise(tx, wanted):
        return wanted, True
    found = require_enterprise(tx, wanted.id)
    if replace(found, created_at=wanted.created_at, updated_at=wanted.updated_at) != wanted:
        raise ConflictError(
            "enterprise_differs",
            f"an enterprise with the id {found.id} exists already, with another name, trust organisation or"
            " licence: choose another id, or send the same fields",
        )
    return found, False


def _ensure_user(tx: Transaction, wanted: User) -> tuple[User, bool]:
    if store.insert_user(tx, wanted):
        return wanted, True
    found = store.find_user(tx, wanted.id)
    if found is None:
        raise LookupError("a user has this id and cannot be read")
    _require_same(found, wanted.name, wanted.email)
    return found, False


def _require_same(found: User, name: str, email: str | None) -> None:
    if (found.name, found.email) != (name, email):
        raise ConflictError(
            "user_differs",
            f"a user with the id {found.id} exists already, with another name or email: choose another id, or send"
            " the same fields",
        )


def _known(enterprise: Enterprise | None) -> Enterprise:
    if enterprise is None:
        raise NotFoundError("enterprise_unknown", "there is no enterprise with this id")
    return enterprise
