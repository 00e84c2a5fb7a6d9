"""Keys that the custodian holds for Go Accounts and signs with on request. No answer contains a private key."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.core.strict_json import JsonError, JsonValue, parse_json
from clearwindow.custody import store
from clearwindow.custody.models import GoAccountKey
from clearwindow.identity.models import Member
from clearwindow.postgres.pool import Transaction
from clearwindow.signing.keys import PrivateKey, generate_private_key
from clearwindow.signing.message import sign_message

_ENTROPY_BYTES: Final = 64


def add_key(tx: Transaction, account_id: UUID, cool_off: timedelta) -> tuple[GoAccountKey, bool]:
    """Returns the account's active custodian key, and whether it was created now. An account has at most one."""
    for found in store.list_keys(tx, account_id):
        if found.custodian and found.revoked_at is None:
            return found, False
    now = tx.now()
    private = generate_private_key(secrets.token_bytes(_ENTROPY_BYTES))
    key = GoAccountKey(
        id=tx.new_id(),
        pub=private.xpub,
        public_key=private.public_key.compressed,
        encrypted_prv=None,
        created_at=now,
        revoked_at=None,
        verifies_from=now + cool_off,
        custodian=True,
    )
    sealed = tx.vault.encrypt(private.xprv.encode(), context=_seal_context(key.id))
    store.insert_key(tx, account_id, key, sealed)
    return key, True


def require_right(member: Member) -> None:
    """Requires a user who may have custodian keys sign.

    Raises:
        PermissionDeniedError: the user may not.
    """
    if not member.may_use_custodian_key:
        raise PermissionDeniedError(
            "custodian_key_forbidden",
            "you may not have a custodian key sign: sign with a key of your own, or ask the operator for the right",
        )


def require_signable(payload: str) -> dict[str, JsonValue]:
    """Requires one JSON object without duplicate keys, as every signed request has. Nothing else is signed."""
    try:
        document = parse_json(payload, what="payload")
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", str(error)) from None
    if not isinstance(document, dict):
        raise InvalidRequestError("payload_not_object", "payload: must be the text of a JSON object")
    return document


def sign(tx: Transaction, account_id: UUID, payload: str) -> tuple[UUID, str]:
    """Returns the id of the custodian key and its signature of exactly this text. Protocol §3."""
    sealed = store.find_sealed_key(tx, account_id)
    if sealed is None:
        raise UnprocessableError(
            "no_custodian_key",
            "the custodian holds no key for this wallet whose signatures count already: sign with a key of your"
            " own, or ask the operator for one",
        )
    private = tx.vault.decrypt(sealed.sealed_prv, context=_seal_context(sealed.id))
    return sealed.id, sign_message(PrivateKey.parse(private.decode()), payload)


def _seal_context(key_id: UUID) -> str:
    return f"go_account_key:{key_id}"
