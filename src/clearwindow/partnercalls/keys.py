"""The keys that calls to partners are signed with, their rotation, and the signature itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import RSAAlgorithm

from clearwindow.access.values import Operator
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.partnercalls import store
from clearwindow.partnercalls.values import CallKey
from clearwindow.runtime import Runtime

SHOWN_AFTER_RETIREMENT: Final = timedelta(hours=24)
LIFETIME_SECONDS: Final = 60
_KEY_BITS: Final = 2048
_FIRST: Final = "first"


@dataclass(frozen=True, slots=True)
class SigningKey:
    id: str
    private: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature speaks for."""

    audience: str
    method: str
    path: str
    body: bytes = field(repr=False)


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
    """A new key for all calls from now on; the same reference again gives the same key."""
    with runtime.transaction() as tx:
        store.lock_keys(tx)
        found = store.find_key_by_reference(tx, reference)
        if found is not None:
            return found
        store.retire_keys(tx)
        key_id = _make(tx, runtime, reference)
        audit.record(tx, operator, "partner_call_key.rotated", key_id, reference=reference)
        made = store.find_key_by_reference(tx, reference)
        if made is None:
            raise LookupError("a call key was made and is not there")
        return made


def sign(key: SigningKey, runtime: Runtime, signed: Signed) -> str:
    """An RS256 JWT over the call, good for once and for a minute. Protocol §8."""
    issued_at = int(runtime.calls.wall.now().timestamp())
    claims = {
        "iss": runtime.calls.issuer,
        "aud": signed.audience,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_SECONDS,
        "jti": str(runtime.ids.new()),
        "method": signed.method,
        "path": signed.path,
        "bodySha256": hashlib.sha256(signed.body).hexdigest(),
    }
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.id})


def _make(tx: Transaction, runtime: Runtime, reference: str) -> str:
    private = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    key_id = runtime.ids.new().hex
    jwk: Mapping[str, str] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    public_jwk = {"kty": jwk["kty"], "n": jwk["n"], "e": jwk["e"], "alg": "RS256", "use": "sig", "kid": key_id}
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = runtime.vault.encrypt(der, context=_context(key_id))
    store.insert_key(tx, key_id=key_id, reference=reference, sealed_private=sealed, public_jwk=public_jwk)
    return key_id


def _context(key_id: str) -> str:
    return f"partner-call-key:{key_id}"
