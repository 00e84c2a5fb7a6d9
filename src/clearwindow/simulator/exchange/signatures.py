"""Verifies that a call comes from the network: the JWT of each call, with the network's public keys.

The check covers signer, audience, time, request and repeated use. If the *call* is not valid, the answer is 401.
If the *keys* cannot be read, it is 503, which the network repeats. The network takes a 401 as a refusal, and would
give a client's funds back only because the key set could not be read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

KEEP_KEYS_SECONDS: Final = 300
"""The network publishes a new key this long before it signs with it."""
LEAST_REFETCH_SECONDS: Final = 5
"""Calls with invented key ids must not cause a request to the network each."""
MOST_LIFETIME_SECONDS: Final = 60
CLOCKS_DIFFER_SECONDS: Final = 5
MOST_TOKEN_CHARACTERS: Final = 8_192
_CLAIMS: Final = ("iss", "aud", "iat", "exp", "jti", "method", "path", "bodySha256")

FetchKeys = Callable[[], Awaitable[bytes]]
"""Reads the network's key set; raises OSError if it cannot."""


class RefusedSignatureError(Exception):
    """The call does not come from the network; the message says why."""


class KeysUnavailableError(Exception):
    """The keys are not available now, so the call cannot be verified."""


class KeySet:
    """The network's public keys: cached, and read again for an unknown key id."""

    def __init__(self, fetch: FetchKeys, seconds: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Returns the key with this id.

        Raises:
            RefusedSignatureError: the network has no such key.
            KeysUnavailableError: the key set cannot be read, or was read only seconds ago.
        """
        async with self._lock:
            known = self._keys.get(key_id)
            if known is not None and self._is_fresh():
                return known
            if self._tried_at is not None and self._seconds() - self._tried_at < LEAST_REFETCH_SECONDS:
                raise KeysUnavailableError(
                    "the key set was read seconds ago and does not have this key; try again later"
                )
            await self._read()
        found = self._keys.get(key_id)
        if found is None:
            raise RefusedSignatureError("the network has no key with this id")
        return found

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._seconds() - self._read_at < KEEP_KEYS_SECONDS

    async def _read(self) -> None:
        self._tried_at = self._seconds()
        try:
            self._keys = _keys_in(await self._fetch())
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise KeysUnavailableError(f"the network's key set cannot be read: {type(error).__name__}") from None
        self._read_at = self._seconds()


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """The signature of a call, verified except for the body."""

    token_id: str
    expires_at: int
    body_sha256: str


class Checker:
    """Verifies calls. Each signature is accepted once."""

    def __init__(self, keys: KeySet, *, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        """Creates a checker.

        Args:
            keys: the network's keys.
            issuer: the issuer in the network's signatures.
            audience: the exchange's own address, exactly as the network has it.
            now: returns the time in seconds.
        """
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._seen: dict[str, int] = {}

    async def check(self, token: str | None, method: str, path: str) -> VerifiedSignature:
        """Verifies everything except the body, before the body is read.

        Raises:
            RefusedSignatureError: the signature is not valid.
            KeysUnavailableError: the keys are not available.
        """
        if not token or len(token) > MOST_TOKEN_CHARACTERS:
            raise RefusedSignatureError("the signature is missing or too long")
        claims = self._claims(token, await self._keys.key(_key_id(token)))
        if claims["exp"] - claims["iat"] > MOST_LIFETIME_SECONDS:
            raise RefusedSignatureError(f"the signature is valid for more than {MOST_LIFETIME_SECONDS} seconds")
        if (claims["method"], claims["path"]) != (method, path):
            raise RefusedSignatureError("the signature is for another request")
        return VerifiedSignature(str(claims["jti"]), int(claims["exp"]), str(claims["bodySha256"]))

    def accept(self, signed: VerifiedSignature, body: bytes) -> None:
        """Verifies the body, and marks the signature as used.

        Raises:
            RefusedSignatureError: the signature is for another body, or was used before.
        """
        if hashlib.sha256(body).hexdigest() != signed.body_sha256:
            raise RefusedSignatureError("the signature is for another body")
        self._forget()
        if signed.token_id in self._seen:
            raise RefusedSignatureError("the signature was used before")
        self._seen[signed.token_id] = signed.expires_at

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCKS_DIFFER_SECONDS,
                options={"require": list(_CLAIMS), "strict_aud": True},
            )
        except jwt.PyJWTError as error:
            raise RefusedSignatureError(f"the signature is not valid: {error}") from None
        if not all(isinstance(claims[name], int) for name in ("iat", "exp")):
            raise RefusedSignatureError("the signature's times are not whole seconds")
        return claims

    def _forget(self) -> None:
        """Drops used signatures that have expired, since expired ones are refused anyway. The oldest come first."""
        over = self._now() - CLOCKS_DIFFER_SECONDS
        while self._seen and self._seen[oldest := next(iter(self._seen))] < over:
            del self._seen[oldest]


def _key_id(token: str) -> str:
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise RefusedSignatureError("the signature is not a JWT") from None
    if not isinstance(key_id, str):
        raise RefusedSignatureError("the signature does not name its key")
    return key_id


def _keys_in(content: bytes) -> dict[str, jwt.PyJWK]:
    """Returns the RSA keys of a key set by their ids."""
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")  # noqa: TRY004 - wrong content, like any other
    return {
        key["kid"]: jwt.PyJWK(key, algorithm="RS256")
        for key in document["keys"]
        if isinstance(key, dict) and isinstance(key.get("kid"), str) and key.get("kty") == "RSA"
    }
