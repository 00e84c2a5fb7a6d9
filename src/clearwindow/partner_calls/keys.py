"""The keys that calls to partners are signed with, and their rotation."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from clearwindow.access.values import Operator
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.partnercalls import store
from clearwindow.partnercalls.signatures import Signed, SigningKey, claims_for, encode, new_key, public_jwk
from clearwindow.partnercalls.values import CallKey
from clearwindow.runtime import Runtime

SHOWN_BEFORE_USE: Final = timedelta(minutes=5)
"""As long as a partner may keep the key set: nobody meets a key that it could not have seen."""
SHOWN_AFTER_RETIREMENT: Final = timedelta(hours=24)
_FIRST: Final = "first"


def signing_key(tx: Transaction, runtime: Runtime) -> SigningKey:
    """The key in use; the first one is made when it is first needed."""
    found = store.key_in_use(tx)
    if found is None:
        _make(tx, runtime, _FIRST)
        found = store.key_in_use(tx)
    if found is None:
        raise LookupError("a call key was made and is not there")
    key_id, sealed = found
    der = runtime.vault.decrypt(sealed, context=_context(key_id))
    # Our own key, authenticated by the vault: checking its primes at each call would only cost time.
    private = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("the call key is not an RSA key")
    return SigningKey(key_id, private)


def shown_keys(runtime: Runtime) -> list[CallKey]:
    """The keys that a partner may meet: the one in use, and those that were until a while ago."""
    with runtime.transaction() as tx:
        if store.key_in_use(tx) is None:
            _make(tx, runtime, _FIRST)
        return store.list_keys(tx, retired_after=tx.now() - SHOWN_AFTER_RETIREMENT)


def all_keys(runtime: Runtime) -> list[CallKey]:
    with runtime.transaction() as tx:
        return store.list_keys(tx)


def rotate(runtime: Runtime, operator: Operator, reference: str) -> CallKey:
    """A new key, shown at once and used in a few minutes; the same reference again gives the same key."""
    with runtime.transaction() as tx:
        store.lock_keys(tx)
        found = store.find_key_by_reference(tx, reference)
        if found is not None:
            return found
        store.retire_keys(tx, tx.now() + SHOWN_BEFORE_USE)
        key_id = _make(tx, runtime, reference)
        audit.record(tx, operator, "partner_call_key.rotated", key_id, reference=reference)
        made = store.find_key_by_reference(tx, reference)
        if made is None:
            raise LookupError("a call key was made and is not there")
        return made


def sign(key: SigningKey, runtime: Runtime, signed: Signed) -> str:
    """A JWT over the call, good for once and for a minute."""
    claims = claims_for(
        signed, issuer=runtime.calls.issuer, issued_at=runtime.calls.wall.now(), token_id=str(runtime.ids.new())
    )
    return encode(key, claims)


def _make(tx: Transaction, runtime: Runtime, reference: str) -> str:
    key = new_key(runtime.ids.new().hex)
    der = key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = runtime.vault.encrypt(der, context=_context(key.id))
    store.insert_key(tx, key_id=key.id, reference=reference, sealed_private=sealed, public_jwk=public_jwk(key))
    return key.id


def _context(key_id: str) -> str:
    return f"partner-call-key:{key_id}"
