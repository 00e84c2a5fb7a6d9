"""Keys that the custodian holds for a Go Account and signs with on request. The private half is never shown."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import GoAccountKey
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError, UnprocessableError
from clearwindow.runtime import Runtime
from clearwindow.signing.keys import PrivateKey, generate_private_key
from clearwindow.signing.message import sign_message
from clearwindow.strict_json import JsonError, parse_json

_ENTROPY_BYTES: Final = 64


def add_key(runtime: Runtime, tx: Transaction, account_id: UUID) -> tuple[GoAccountKey, bool]:
    """The account's custodian key, and whether it was made now: it has one at a time."""
    for found in accounts.keys_of(tx, account_id):
        if found.custodian and found.revoked_at is None:
            return found, False
    private = generate_private_key(secrets.token_bytes(_ENTROPY_BYTES))
    key = GoAccountKey(
        id=runtime.ids.new(),
        pub=private.xpub,
        public_key=private.public_key.compressed,
        encrypted_prv=None,
        created_at=tx.now(),
        revoked_at=None,
        custodian=True,
    )
    sealed = runtime.vault.encrypt(private.xprv.encode(), context=_seal_context(key.id))
    accounts.add_custodian_key(tx, account_id, key, sealed)
    return key, True


def require_signable(payload: str) -> None:
    """Signs nothing but what a request of this network can be: one JSON object, with one meaning."""
    try:
        document = parse_json(payload, what="payload")
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", str(error)) from None
    if not isinstance(document, dict):
        raise InvalidRequestError("payload_not_object", "payload: must be the text of a JSON object")


def sign(runtime: Runtime, tx: Transaction, account_id: UUID, payload: str) -> tuple[UUID, str]:
    """The id of the key that signed, and its signature of exactly this text. Protocol §3."""
    sealed = accounts.custodian_key(tx, account_id)
    if sealed is None:
        raise UnprocessableError(
            "no_custodian_key",
            "the custodian holds no key for this wallet: sign with a key of your own, or ask the operator for one",
        )
    private = runtime.vault.decrypt(sealed.sealed_prv, context=_seal_context(sealed.id))
    return sealed.id, sign_message(PrivateKey.parse(private.decode()), payload)


def _seal_context(key_id: UUID) -> str:
    return f"go_account_key:{key_id}"
