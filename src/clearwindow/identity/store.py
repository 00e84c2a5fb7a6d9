"""Reads and writes of the access tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

from clearwindow.access.values import Enterprise, OperatorRecord, Scope, Token, TokenKind, TrustOrg, User
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.access")


@dataclass(frozen=True, slots=True)
class _TokenRow:
    id: UUID
    kind: str
    enterprise_id: str | None
    user_id: str | None
    operator_id: UUID | None
    operator_name: str | None
    scopes: list[str]
    ip_allow_list: list[IPv4Network | IPv6Network]
    label: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    licensed: bool


@dataclass(frozen=True, slots=True)
class _EnterpriseRow:
    id: str
    name: str
    trust_org: str
    licensed: bool
    created_at: datetime
    updated_at: datetime

    def value(self) -> Enterprise:
        trust_org = TrustOrg(self.trust_org)
        return Enterprise(self.id, self.name, trust_org, self.licensed, self.created_at, self.updated_at)


def find_token(tx: Transaction, token_sha256: bytes) -> Token | None:
    row = tx.first(_TokenRow, sql["find_token"], token_sha256=token_sha256)
    if row is None:
        return None
    return Token(
        id=row.id,
        kind=TokenKind(row.kind),
        enterprise_id=row.enterprise_id,
        user_id=row.user_id,
        operator_id=row.operator_id,
        operator_name=row.operator_name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        ip_allow_list=tuple(row.ip_allow_list),
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        licensed=row.licensed,
    )


def find_sealed_secret(tx: Transaction, token_id: UUID) -> bytes | None:
    """The token itself, sealed by the vault: of tokens that sign their calls, while they are in force."""
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
    )


def revoke_token(tx: Transaction, token_id: UUID) -> bool | None:
    """Whether this call was the one that revoked it; None where there is no such token."""
    revoked = tx.scalars(bool, sql["revoke_token"], id=token_id, now=tx.now())
    return revoked[0] if revoked else None


def insert_enterprise(tx: Transaction, enterprise: Enterprise) -> bool:
    """False where the id is taken already."""
    values = {"id": enterprise.id, "name": enterprise.name, "trust_org": enterprise.trust_org}
    return tx.run(sql["insert_enterprise"], **values, licensed=enterprise.licensed, now=enterprise.created_at) == 1


def find_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise | None:
    row = tx.first(_EnterpriseRow, sql["find_enterprise"], id=enterprise_id)
    return row.value() if row else None


def lock_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise | None:
    row = tx.first(_EnterpriseRow, sql["lock_enterprise"], id=enterprise_id)
    return row.value() if row else None


def update_enterprise(
    tx: Transaction, enterprise_id: str, *, name: str | None, licensed: bool | None
) -> Enterprise | None:
    row = tx.first(
        _EnterpriseRow, sql["update_enterprise"], id=enterprise_id, name=name, licensed=licensed, now=tx.now()
    )
    return row.value() if row else None


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
    return tx.run(sql["insert_operator"], id=operator.id, name=operator.name, now=operator.created_at) == 1


def find_operator(tx: Transaction, operator_id: UUID) -> OperatorRecord | None:
    return tx.first(OperatorRecord, sql["find_operator"], id=operator_id)


def find_operator_by_name(tx: Transaction, name: str) -> OperatorRecord | None:
    return tx.first(OperatorRecord, sql["find_operator_by_name"], name=name)
