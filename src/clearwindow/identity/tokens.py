"""Members' tokens: made, used to sign calls, and revoked. A token's value is shown once. Protocol §2."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import InvalidRequestError, NotFoundError
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.events.models import EventType
from clearwindow.identity import audit, events, roles, rules, store
from clearwindow.identity.directory import rules as directory
from clearwindow.identity.enterprises import require_enterprise
from clearwindow.identity.models import (
    Actor,
    Enterprise,
    IssuedToken,
    MemberRole,
    Membership,
    Operator,
    Signer,
    Token,
    TokenKind,
    TokenTerms,
)
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def create_token(
    runtime: Runtime, actor: Operator, enterprise_id: str, user_id: str, terms: TokenTerms
) -> IssuedToken:
    """Makes a token with which a member acts for the enterprise.

    Raises:
        NotFoundError: there is no such enterprise.
        InvalidRequestError: the user is not a member of it, the token would expire in the past, or its role is not
            included in the user's.
    """
    with runtime.transaction() as tx:
        return add_token(tx, actor, enterprise_id, user_id, terms)


def add_token(tx: Transaction, actor: Operator, enterprise_id: str, user_id: str, terms: TokenTerms) -> IssuedToken:
    """Makes a token in this transaction, as `create_token` does. It remembers who made it and may have kept it."""
    issued = issue_token(tx, enterprise_id, user_id, terms, made_by=actor.operator_id)
    holder = {"enterpriseId": enterprise_id, "userId": user_id}
    audit.record(tx, actor, "token.created", issued.token.id, **holder, **terms_of(issued.token))
    return issued


def issue_token(
    tx: Transaction, enterprise_id: str, user_id: str, terms: TokenTerms, made_by: UUID | None = None
) -> IssuedToken:
    enterprise, membership = require_member_of(tx, enterprise_id, user_id)
    own = None if terms.role is None else MemberRole(terms.role)
    roles.require_narrower(membership.role, own)
    held = replace(new_token(tx, terms), enterprise_id=enterprise_id, user_id=user_id)
    token = replace(held, licensed=enterprise.licensed, role=own, made_by=made_by)
    issued = IssuedToken(token, rules.new_token(token.kind))
    sealed = None
    if token.kind is TokenKind.V2X:
        sealed = tx.vault.encrypt(issued.value.encode(), context=_seal_context(token.id))
    store.insert_token(tx, token, rules.token_sha256(issued.value), sealed)
    return issued


def require_member_of(tx: Transaction, enterprise_id: str, user_id: str) -> tuple[Enterprise, Membership]:
    """Returns the enterprise, and the user's membership of it, which cannot end until the transaction does.

    Raises:
        NotFoundError: there is no such enterprise.
        InvalidRequestError: the user is not a member of it.
    """
    enterprise = require_enterprise(tx, enterprise_id)
    held = store.hold_member(tx, enterprise_id, user_id)
    membership = store.find_membership(tx, enterprise_id, user_id)
    if not held or membership is None:
        raise InvalidRequestError("user_not_a_member", "userId: the enterprise has no member with this id")
    return enterprise, membership


def revoke_token(runtime: Runtime, actor: Actor, token_id: str) -> None:
    """Revokes a token, at once and for good. Revoking it again changes nothing.

    Raises:
        NotFoundError: there is no such token, or the caller may not know of it.
        PermissionDeniedError: it is another operator's, and the caller is no administrator.
    """
    known = parse_uuid(token_id) or NIL
    with runtime.transaction() as tx:
        token = store.find_token_by_id(tx, known)
        if token is None or not directory.sees_token(actor, token):
            raise NotFoundError("token_unknown", "there is no token with this id")
        directory.require_may_revoke(actor, token)
        revoke(tx, actor, known)


def revoke(tx: Transaction, actor: Actor, token_id: UUID) -> None:
    """Revokes a token that exists, whoever asks, and tells its enterprise."""
    token = store.find_token_by_id(tx, token_id)
    if token is not None and store.revoke_token(tx, token_id):
        audit.record(tx, actor, "token.revoked", token_id)
        _tell_of_revocation(tx, actor, token)


def _tell_of_revocation(tx: Transaction, actor: Actor, token: Token) -> None:
    if token.enterprise_id is None:
        return
    said = {"tokenId": str(token.id), "userId": token.user_id, "by": str(actor.actor_kind)}
    if not isinstance(actor, Operator):
        said["revokedBy"] = actor.actor_id
    events.of_enterprise(tx, EventType.TOKEN_REVOKED, token.enterprise_id, said, token.id)


def find_signer(runtime: Runtime, token_sha256: bytes, address: rules.Address | None) -> Signer:
    """Returns the v2x token with this hash. Its holder signs calls with it and never sends it.

    Raises:
        NotAuthenticatedError: no such token is in force, or this address may not use it.
    """
    with runtime.transaction() as tx:
        found = store.find_token(tx, token_sha256)
        sealed = store.find_sealed_secret(tx, found.id) if found else None
        token = rules.require_usable(found if sealed else None, tx.now(), address)
        return Signer(token, tx.vault.decrypt(sealed or b"", context=_seal_context(token.id)))


def new_token(tx: Transaction, terms: TokenTerms) -> Token:
    """Returns a token with these terms. It has no owner yet.

    Raises:
        InvalidRequestError: it would expire in the past.
    """
    require_later(tx, terms)
    now = tx.now()
    return Token(
        id=tx.new_id(),
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
        program=terms.program,
        deposits_only=terms.deposits_only,
    )


def require_later(tx: Transaction, terms: TokenTerms) -> None:
    if terms.expires_at is not None and terms.expires_at <= tx.now():
        raise InvalidRequestError("expiry_passed", "expiresAt: must be in the future")


def terms_of(token: Token) -> dict[str, object]:
    """Returns what the audit trail records about a token."""
    return {
        "label": token.label,
        "kind": token.kind,
        "program": token.program,
        **({"depositsOnly": True} if token.deposits_only else {}),
        "role": token.role,
        "scopes": sorted(token.scopes),
        "ipAllowList": [str(network) for network in token.ip_allow_list],
        "expiresAt": wire_time(token.expires_at) if token.expires_at else None,
    }


def _seal_context(token_id: UUID) -> str:
    return f"access_token:{token_id}"
