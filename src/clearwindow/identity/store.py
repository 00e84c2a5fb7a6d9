"""The SQL of enterprises, users, operators, tokens and the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.identity.looks import look_of
from clearwindow.identity.models import (
    BOOTSTRAP_OPERATOR,
    Actor,
    AuditFilter,
    AuditRecord,
    Enterprise,
    Membership,
    Opening,
    OperatorRecord,
    OperatorRole,
    Token,
    User,
)
from clearwindow.postgres.paging import Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.postgres.rows import model_of

sql: Final = Queries("clearwindow.identity")
_LAST_RECORD_FIRST: Final = Order({"sequence": int})


def find_token(tx: Transaction, token_sha256: bytes) -> Token | None:
    return tx.first(Token, sql["find_token"], token_sha256=token_sha256)


def find_tokens(tx: Transaction, hashes: Collection[bytes]) -> dict[bytes, Token]:
    """Returns the tokens with these hashes, by their hashes."""
    rows = tx.records(sql["find_tokens"], hashes=list(hashes))
    return {cast(bytes, row.pop("token_sha256")): model_of(Token, row) for row in rows}


def find_token_by_id(tx: Transaction, token_id: UUID) -> Token | None:
    return tx.first(Token, sql["find_token_by_id"], id=token_id)


def find_sealed_secret(tx: Transaction, token_id: UUID) -> bytes | None:
    """Returns the sealed token. It is stored for v2x tokens only, until they are revoked."""
    found = tx.scalars(bytes, sql["find_sealed_secret"], id=token_id)
    return found[0] if found else None


def insert_token(tx: Transaction, token: Token, token_sha256: bytes, sealed_secret: bytes | None = None) -> None:
    tx.run(
        sql["insert_token"],
        id=token.id,
        token_sha256=token_sha256,
        kind=token.kind,
        sealed_secret=sealed_secret,
        enterprise_id=token.enterprise_id,
        user_id=token.user_id,
        operator_id=token.operator_id,
        scopes=sorted(token.scopes),
        ip_allow_list=[str(network) for network in token.ip_allow_list],
        label=token.label,
        now=token.created_at,
        expires_at=token.expires_at,
        role=token.role,
        program=token.program,
        deposits_only=token.deposits_only,
        deposits_proposal_id=token.deposits_proposal_id,
        made_by=token.made_by,
    )


def revoke_token(tx: Transaction, token_id: UUID) -> bool | None:
    """Returns True if this call revoked the token, False if it was revoked before, None if it does not exist."""
    revoked = tx.scalars(bool, sql["revoke_token"], id=token_id, now=tx.now())
    return revoked[0] if revoked else None


def insert_enterprise(tx: Transaction, enterprise: Enterprise) -> bool:
    """Returns False if the id is taken."""
    values = {"id": enterprise.id, "name": enterprise.name, "trust_org": enterprise.trust_org}
    return tx.run(sql["insert_enterprise"], **values, licensed=enterprise.licensed, now=enterprise.created_at) == 1


def find_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise | None:
    return tx.first(Enterprise, sql["find_enterprise"], id=enterprise_id)


def lock_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise | None:
    return tx.first(Enterprise, sql["lock_enterprise"], id=enterprise_id)


def update_enterprise(
    tx: Transaction, enterprise_id: str, *, name: str | None, licensed: bool | None
) -> Enterprise | None:
    values = {"id": enterprise_id, "name": name, "licensed": licensed}
    return tx.first(Enterprise, sql["update_enterprise"], **values, now=tx.now())


def insert_user(tx: Transaction, user: User) -> bool:
    return tx.run(sql["insert_user"], id=user.id, name=user.name, email=user.email, now=user.created_at) == 1


def find_user(tx: Transaction, user_id: str) -> User | None:
    return tx.first(User, sql["find_user"], id=user_id)


def insert_membership(tx: Transaction, membership: Membership) -> bool:
    """Returns False if the user is a member already."""
    return tx.run(sql["insert_membership"], **_rights(membership), now=tx.now()) == 1


def has_had_members(tx: Transaction, enterprise_id: str) -> bool:
    """Returns whether the enterprise has or had any member."""
    return bool(tx.scalars(bool, sql["has_had_members"], enterprise_id=enterprise_id)[0])


def hold_member(tx: Transaction, enterprise_id: str, user_id: str) -> bool:
    """Returns whether the user is a member. A member cannot be removed until the transaction ends."""
    return bool(tx.scalars(bool, sql["hold_member"], enterprise_id=enterprise_id, user_id=user_id))


def remove_member(tx: Transaction, enterprise_id: str, user_id: str) -> bool | None:
    """Returns True if this call removed the member, False if it was removed before, None if there never was one."""
    values = {"enterprise_id": enterprise_id, "user_id": user_id}
    removed = tx.scalars(bool, sql["remove_member"], **values, now=tx.now())
    return removed[0] if removed else None


def revoke_tokens_of_member(tx: Transaction, enterprise_id: str, user_id: str) -> list[UUID]:
    """Returns the ids of the tokens that were in force."""
    values = {"enterprise_id": enterprise_id, "user_id": user_id}
    return tx.scalars(UUID, sql["revoke_tokens_of_member"], **values, now=tx.now())


def find_membership(tx: Transaction, enterprise_id: str, user_id: str) -> Membership | None:
    return tx.first(Membership, sql["find_membership"], enterprise_id=enterprise_id, user_id=user_id)


def list_administrators(tx: Transaction, enterprise_id: str) -> Sequence[str]:
    return tx.scalars(str, sql["list_administrators"], enterprise_id=enterprise_id)


def update_membership(tx: Transaction, membership: Membership) -> None:
    tx.run(sql["update_membership"], **_rights(membership))


def insert_operator(tx: Transaction, operator: OperatorRecord) -> bool:
    """Returns False if there is an operator with this name. A removed one comes back, with its id."""
    values = {"id": operator.id, "name": operator.name, "role": operator.role, "look": look_of(operator.name)}
    return tx.run(sql["insert_operator"], **values, now=operator.created_at) == 1


def find_operator(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    """Returns the operator, removed or not."""
    return tx.first(OperatorRecord, sql["find_operator"], id=operator_id)


def hold_operator(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    """Returns the operator, unless it was removed. It cannot be removed until the transaction ends."""
    return tx.first(OperatorRecord, sql["hold_operator"], id=operator_id)


def hold_in_office(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    """Returns the operator in the same way, and None for the one of the settings' token after the opening."""
    return tx.first(OperatorRecord, sql["hold_in_office"], id=operator_id, bootstrap=BOOTSTRAP_OPERATOR)


def makers_of_tokens(tx: Transaction, enterprise_id: str, since: datetime) -> list[UUID]:
    """Returns the operators who made tokens of the enterprise's users that were in force then or are now."""
    return tx.scalars(UUID, sql["makers_of_tokens"], enterprise_id=enterprise_id, since=since)


def remove_operator(tx: Transaction, operator_id: UUID) -> None:
    tx.run(sql["remove_operator"], id=operator_id, now=tx.now())


def revoke_tokens_of_operator(tx: Transaction, operator_id: UUID) -> list[UUID]:
    """Returns the ids of the tokens that were in force."""
    return tx.scalars(UUID, sql["revoke_tokens_of_operator"], operator_id=operator_id, now=tx.now())


def find_operator_by_name(tx: Transaction, name: str) -> OperatorRecord | None:
    return tx.first(OperatorRecord, sql["find_operator_by_name"], name=name)


def find_bootstrap_operator(tx: Transaction) -> OperatorRecord | None:
    """Returns the operator of the token in the settings. None once the network was opened."""
    return tx.first(OperatorRecord, sql["find_bootstrap_operator"], name=BOOTSTRAP_OPERATOR)


def list_operator_names(tx: Transaction) -> Sequence[str]:
    return tx.scalars(str, sql["list_operator_names"])


def lock_operator_administrators(tx: Transaction) -> Sequence[UUID]:
    """Returns the ids of the administrators, locked until the transaction ends: two removals must not take both."""
    return tx.scalars(UUID, sql["lock_operator_administrators"], bootstrap=BOOTSTRAP_OPERATOR)


def lock_operator(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    """Returns the operator, removed or not, locked until the transaction ends."""
    return tx.first(OperatorRecord, sql["lock_operator"], id=operator_id)


def update_operator_role(tx: Transaction, operator_id: UUID, role: OperatorRole) -> None:
    tx.run(sql["update_operator_role"], id=operator_id, role=role)


def lock_operators(tx: Transaction) -> None:
    """Keeps others from making operators until the transaction ends."""
    tx.run(sql["lock_operators"])


def insert_opening(tx: Transaction, *, single_operator: bool) -> bool:
    """Returns False if the network was opened before."""
    return tx.run(sql["insert_opening"], now=tx.now(), single_operator=single_operator) == 1


def find_opening(tx: Transaction) -> Opening | None:
    return tx.first(Opening, sql["find_opening"])


def _rights(membership: Membership) -> dict[str, object]:
    return {
        "enterprise_id": membership.enterprise_id,
        "user_id": membership.user_id,
        "role": membership.role,
        "may_use_custodian_key": membership.may_use_custodian_key,
    }


def insert_audit_record(
    tx: Transaction, actor: Actor, action: str, subject_id: str, details: Mapping[str, object]
) -> None:
    tx.tell(
        sql["insert_audit_record"],
        at=tx.now(),
        request_id=actor.request_id,
        actor_kind=actor.actor_kind,
        actor_id=actor.actor_id,
        enterprise_id=actor.enterprise_id,
        action=action,
        subject_id=subject_id,
        details=Jsonb(details),
    )


def list_audit_records(tx: Transaction, wanted: AuditFilter, part: Slice) -> Listing[AuditRecord]:
    return keyset_page(tx, AuditRecord, sql["list_audit_records"], asdict(wanted), _LAST_RECORD_FIRST, part)


def audited_requests(tx: Transaction, request_ids: Collection[str]) -> frozenset[str]:
    return frozenset(tx.scalars(str, sql["audited_requests"], request_ids=list(request_ids)))
