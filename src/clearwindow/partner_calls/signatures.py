"""The signature of a call to a partner, and the public key that verifies it. Protocol §8."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

LIFETIME_SECONDS: Final = 60
ALGORITHM: Final = "RS256"
_KEY_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    id: str
    private: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a call that its signature covers."""

    audience: str
    method: str
    path: str
    body: bytes = field(repr=False)


def new_key(key_id: str) -> SigningKey:
    return SigningKey(key_id, generate_private_key(public_exponent=65537, key_size=_KEY_BITS))


def public_jwk(key: SigningKey) -> Mapping[str, str]:
    """Returns the public key as it stands in the key set."""
    jwk: Mapping[str, str] = RSAAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
    return {"kty": jwk["kty"], "n": jwk["n"], "e": jwk["e"], "alg": ALGORITHM, "use": "sig", "kid": key.id}


def claims_for(signed: Signed, *, issuer: str, issued_at: datetime, token_id: str) -> dict[str, Any]:
    """Returns the claims of the signature, which is valid once and for a minute."""
    issued_at_seconds = int(issued_at.timestamp())
    return {
        "iss": issuer,
        "aud": signed.audience,
        "iat": issued_at_seconds,
        "exp": issued_at_seconds + LIFETIME_SECONDS,
        "jti": token_id,
        "method": signed.method,
        "path": signed.path,
        "bodySha256": hashlib.sha256(signed.body).hexdigest(),
    }


def encode(key: SigningKey, claims: Mapping[str, Any]) -> str:
    """Returns the claims as a JWT that names its key."""
    return jwt.encode(dict(claims), key.private, algorithm=ALGORITHM, headers={"kid": key.id})
