"""What a member may do in an enterprise, and how an operator changes it. Protocol §2."""

from __future__ import annotations

from dataclasses import replace

from clearwindow.core.errors import NotFoundError
from clearwindow.events.models import EventType
from clearwindow.identity import audit, events, roles, store
from clearwindow.identity.models import (
    MemberRecord,
    MemberRole,
    Membership,
    MembershipChange,
    Operator,
    User,
)
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def update_user(
    runtime: Runtime, actor: Operator, enterprise_id: str, user_id: str, change: MembershipChange
) -> MemberRecord:
    """Changes what a user may do in one enterprise. Its tokens may do no more than that from now on.

    Raises:
        NotFoundError: there is no such enterprise, or the user is not its member.
        UnprocessableError: the enterprise would have no administrator any more.
    """
    with runtime.transaction() as tx:
        return change_membership(tx, actor, enterprise_id, user_id, change)


def change_membership(
    tx: Transaction, actor: Operator, enterprise_id: str, user_id: str, change: MembershipChange
) -> MemberRecord:
    """Changes a membership in this transaction, as `update_user` does."""
    user, before = require_member(tx, enterprise_id, user_id)
    after = with_change(before, change)
    if after == before:
        return MemberRecord(user, before)
    if before.role is MemberRole.ADMINISTRATOR and after.role is not MemberRole.ADMINISTRATOR:
        roles.require_administrator_left(store.list_administrators(tx, enterprise_id), user_id)
    store.update_membership(tx, after)
    audit.record(
        tx, actor, "user.updated", user_id, enterpriseId=enterprise_id, before=rights_of(before), **rights_of(after)
    )
    events.of_member(tx, EventType.MEMBER_UPDATED, enterprise_id, user_id, rights_of(after))
    return MemberRecord(user, after)


def require_member(tx: Transaction, enterprise_id: str, user_id: str) -> tuple[User, Membership]:
    """Returns the user and the membership, with the enterprise locked.

    Raises:
        NotFoundError: there is no such enterprise, or the user is not its member.
    """
    # All changes of an enterprise's members wait for each other, so that none misses the last administrator.
    if store.lock_enterprise(tx, enterprise_id) is None:
        raise NotFoundError("enterprise_unknown", "there is no enterprise with this id")
    membership = store.find_membership(tx, enterprise_id, user_id)
    user = store.find_user(tx, user_id)
    if membership is None or user is None:
        raise NotFoundError("member_unknown", "the enterprise has no member with this id")
    return user, membership


def with_change(membership: Membership, change: MembershipChange) -> Membership:
    """Returns the membership with the rights that the change gives."""
    may_use = change.may_use_custodian_key
    return replace(
        membership,
        role=change.role or membership.role,
        may_use_custodian_key=membership.may_use_custodian_key if may_use is None else may_use,
    )


def rights_of(membership: Membership) -> dict[str, object]:
    """Returns what the audit trail and events say about a membership."""
    return {"role": membership.role, "mayUseCustodianKey": membership.may_use_custodian_key}
