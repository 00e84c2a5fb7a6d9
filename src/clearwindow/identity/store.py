"""The SQL of enterprises, users, operators, tokens and the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, cast
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.identity.models import (
    Actor,
    AuditFilter,
    AuditRecord,
    Enterprise,
    OperatorRecord,
    Token,
    User,
)
from clearwindow.postgres.paging import Listing, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.postgres.rows import model_of

sql: Final = Queries("clearwindow.identity")


def find_token(tx: Transaction, token_sha256: bytes) -> Token | None:
    return tx.first(Token, sql["find_token"], token_sha256=token_sha256)


def find_tokens(tx: Transaction, hashes: Collection[bytes]) -> dict[bytes, Token]:
    """Returns the tokens with these hashes, by their hashes."""
    rows = tx.records(sql["find_tokens"], hashes=list(hashes))
    return {cast(bytes, row.pop("token_sha256")): model_of(Token, row) for row in rows}


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


def insert_membership(tx: Transaction, enterprise_id: str, user_id: str) -> bool:
    values = {"enterprise_id": enterprise_id, "user_id": user_id}
    return tx.run(sql["insert_membership"], **values, now=tx.now()) == 1


def is_member(tx: Transaction, enterprise_id: str, user_id: str) -> bool:
    return bool(tx.scalars(bool, sql["is_member"], enterprise_id=enterprise_id, user_id=user_id))


def insert_operator(tx: Transaction, operator: OperatorRecord) -> bool:
    values = {"id": operator.id, "name": operator.name, "role": operator.role}
    return tx.run(sql["insert_operator"], **values, now=operator.created_at) == 1


def find_operator(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    return tx.first(OperatorRecord, sql["find_operator"], id=operator_id)


def find_operator_by_name(tx: Transaction, name: str) -> OperatorRecord | None:
    return tx.first(OperatorRecord, sql["find_operator_by_name"], name=name)


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


def list_audit_records(tx: Transaction, wanted: AuditFilter) -> Listing[AuditRecord]:
    values = {
        "subject_id": wanted.subject_id,
        "actor_id": wanted.actor_id,
        "enterprise_id": wanted.enterprise_id,
        "action": wanted.action,
    }
    return list_page(tx, AuditRecord, sql["list_audit_records"], values, limit=wanted.limit, offset=wanted.offset)


def audited_requests(tx: Transaction, request_ids: Collection[str]) -> frozenset[str]:
    return frozenset(tx.scalars(str, sql["audited_requests"], request_ids=list(request_ids)))
