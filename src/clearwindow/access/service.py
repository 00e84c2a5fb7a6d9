"""Making operators, enterprises, users and tokens. Each function works in its caller's transaction.

What is asked for again in the same words is the same thing: the flag beside it says whether it was made now.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from clearwindow.access import rules, store
from clearwindow.access.guards import BOOTSTRAP_OPERATOR
from clearwindow.access.values import (
    Enterprise,
    IssuedToken,
    OperatorRecord,
    Token,
    TokenKind,
    TokenTerms,
    User,
)
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.runtime import Runtime

T = TypeVar("T")


def ensure_bootstrap_operator(runtime: Runtime) -> None:
    """Makes the operator that the token in the settings belongs to. Called when a server starts."""
    with runtime.transaction() as tx:
        create_operator(tx, runtime.ids.new(), BOOTSTRAP_OPERATOR)


def create_operator(tx: Transaction, operator_id: UUID, name: str) -> tuple[OperatorRecord, bool]:
    """The operator of this name, and whether it was made now."""
    operator = OperatorRecord(operator_id, name, tx.now())
    if store.insert_operator(tx, operator):
        return operator, True
    return _found(store.find_operator_by_name(tx, name)), False


def create_operator_token(tx: Transaction, token_id: UUID, operator_id: UUID, terms: TokenTerms) -> IssuedToken:
    operator = store.find_operator(tx, operator_id)
    if operator is None:
        raise NotFoundError("operator_unknown", "there is no operator with this id")
    token = _blank_token(tx, token_id, terms)
    token = replace(token, operator_id=operator.id, operator_name=operator.name)
    issued = IssuedToken(token, rules.new_token())
    store.insert_token(tx, token, rules.token_sha256(issued.value))
    return issued


def create_enterprise(tx: Transaction, wanted: Enterprise) -> tuple[Enterprise, bool]:
    """The enterprise of this id, and whether it was made now.

    Raises:
        ConflictError: the id is taken by an enterprise that is not like this one.
    """
    if store.insert_enterprise(tx, wanted):
        return wanted, True
    found = require_enterprise(tx, wanted.id)
    if replace(found, created_at=wanted.created_at, updated_at=wanted.updated_at) != wanted:
        raise ConflictError(
            "enterprise_differs", f"the enterprise {found.id} exists already with another name, trust or licence"
        )
    return found, False


def require_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise:
    return _known_enterprise(store.find_enterprise(tx, enterprise_id))


def lock_enterprise(tx: Transaction, enterprise_id: str) -> Enterprise:
    """The enterprise, locked until the transaction ends: for decisions about all that belongs to it."""
    return _known_enterprise(store.lock_enterprise(tx, enterprise_id))


def update_enterprise(
    tx: Transaction, enterprise_id: str, *, name: str | None, licensed: bool | None
) -> Enterprise:
    return _known_enterprise(store.update_enterprise(tx, enterprise_id, name=name, licensed=licensed))


def create_user(tx: Transaction, enterprise_id: str, wanted: User) -> tuple[User, bool]:
    """The user of this id as a member of the enterprise, and whether user or membership was made now.

    Raises:
        ConflictError: the id is taken by a user of another name or address.
    """
    require_enterprise(tx, enterprise_id)
    made = store.insert_user(tx, wanted)
    user = wanted if made else _found(store.find_user(tx, wanted.id))
    if (user.name, user.email) != (wanted.name, wanted.email):
        raise ConflictError("user_differs", f"the user {user.id} exists already with another name or email")
    joined = store.insert_membership(tx, enterprise_id, user.id)
    return user, made or joined


def create_token(
    runtime: Runtime, tx: Transaction, enterprise_id: str, user_id: str, terms: TokenTerms
) -> IssuedToken:
    """A token with which a member of the enterprise acts for it."""
    enterprise = require_enterprise(tx, enterprise_id)
    if not store.is_member(tx, enterprise_id, user_id):
        raise InvalidRequestError("user_not_a_member", "userId: there is no such user in this enterprise")
    blank = _blank_token(tx, runtime.ids.new(), terms)
    token = replace(blank, enterprise_id=enterprise_id, user_id=user_id, licensed=enterprise.licensed)
    issued = IssuedToken(token, rules.new_token(token.kind))
    sealed = None
    if token.kind is TokenKind.V2X:
        sealed = runtime.vault.encrypt(issued.value.encode(), context=_seal_context(token.id))
    store.insert_token(tx, token, rules.token_sha256(issued.value), sealed)
    return issued


def signing_secret(runtime: Runtime, token_sha256: bytes, address: rules.Address | None) -> bytes:
    """The token of this hash, which its holder keeps back and signs calls with. Opens its own transaction.

    Raises:
        NotAuthenticatedError: there is none in force, or it may not be used from this address.
    """
    with runtime.transaction() as tx:
        found = store.find_token(tx, token_sha256)
        sealed = store.find_sealed_secret(tx, found.id) if found else None
        token = rules.require_usable(found if sealed else None, runtime.clock.now(), address)
    return runtime.vault.decrypt(sealed or b"", context=_seal_context(token.id))


def revoke_token(tx: Transaction, token_id: UUID) -> bool:
    """Whether the token was in force until now."""
    revoked = store.revoke_token(tx, token_id)
    if revoked is None:
        raise NotFoundError("token_unknown", "there is no token with this id")
    return revoked


def _blank_token(tx: Transaction, token_id: UUID, terms: TokenTerms) -> Token:
    now = tx.now()
    if terms.expires_at is not None and terms.expires_at <= now:
        raise InvalidRequestError("expiry_passed", "expiresAt: must be in the future")
    return Token(
        id=token_id,
        kind=terms.kind,
        enterprise_id=None,
        user_id=None,
        operator_id=None,
        operator_name=None,
        scopes=terms.scopes,
        ip_allow_list=terms.ip_allow_list,
        label=terms.label,
        created_at=now,
        expires_at=terms.expires_at,
        revoked_at=None,
        licensed=False,
    )


def _seal_context(token_id: UUID) -> str:
    return f"access_token:{token_id}"


def _known_enterprise(enterprise: Enterprise | None) -> Enterprise:
    if enterprise is None:
        raise NotFoundError("enterprise_unknown", "there is no enterprise with this id")
    return enterprise


def _found(row: T | None) -> T:
    if row is None:
        raise LookupError("a row that stood in the way of another is gone")
    return row
