"""The keys that sign calls to partners, and their rotation."""

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

from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.partner_calls import store
from clearwindow.partner_calls.models import CallKey, SealedKey
from clearwindow.partner_calls.signatures import Signed, SigningKey, claims_for, encode, new_key, public_jwk
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

SHOWN_BEFORE_USE: Final = timedelta(minutes=5)
"""A partner may cache the key set for this time, so a new key is in the set this long before it signs."""
SHOWN_AFTER_RETIREMENT: Final = timedelta(hours=24)
_FIRST: Final = "first"


def signing_key(tx: Transaction) -> SigningKey:
    """Returns the key that signs now. The first key is created when it is first needed."""
    found = store.key_in_use(tx)
    if found is None:
        _make(tx, _FIRST)
        found = store.key_in_use(tx)
    if found is None:
        raise LookupError("a call key was created but cannot be found")
    der = tx.vault.decrypt(found.sealed_private, context=_context(found.id))
    # The vault authenticates the key, so checking its primes at each call is not needed.
    private = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("the call key is not an RSA key")
    return SigningKey(found.id, private)


def shown_keys(runtime: Runtime) -> list[CallKey]:
    """Returns the keys of the public set: the key in use and those retired less than a day ago."""
    with runtime.transaction() as tx:
        if store.key_in_use(tx) is None:
            _make(tx, _FIRST)
        return store.list_keys(tx, retired_after=tx.now() - SHOWN_AFTER_RETIREMENT)


def all_keys(runtime: Runtime) -> list[CallKey]:
    with runtime.transaction() as tx:
        return store.list_keys(tx)


def rotate(runtime: Runtime, operator: Operator, reference: str) -> CallKey:
    """Creates a key that is public at once and signs in five minutes.

    The same reference again returns the same key.
    """
    with runtime.transaction() as tx:
        store.lock_keys(tx)
        found = store.find_key_by_reference(tx, reference)
        if found is not None:
            return found
        store.retire_keys(tx, tx.now() + SHOWN_BEFORE_USE)
        key_id = _make(tx, reference)
        audit.record(tx, operator, "partner_call_key.rotated", key_id, reference=reference)
        made = store.find_key_by_reference(tx, reference)
        if made is None:
            raise LookupError("a call key was created but cannot be found")
        return made


def sign(key: SigningKey, runtime: Runtime, signed: Signed) -> str:
    """Returns a JWT over the call. It is valid once and for a minute."""
    claims = claims_for(
        signed, issuer=runtime.calls.issuer, issued_at=runtime.calls.wall.now(), token_id=str(runtime.ids.new())
    )
    return encode(key, claims)


def _make(tx: Transaction, reference: str) -> str:
    key = new_key(tx.new_id().hex)
    der = key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = SealedKey(key.id, tx.vault.encrypt(der, context=_context(key.id)))
    store.insert_key(tx, sealed, reference=reference, public_jwk=public_jwk(key))
    return key.id


def _context(key_id: str) -> str:
    return f"partner-call-key:{key_id}"
