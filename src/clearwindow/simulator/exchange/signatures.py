"""Whether a call comes from the network: the JWT that each one carries, against the network's public keys.

Everything that a call could be forged from is looked at: who signed, for whom, when, which request, and whether it
was seen before. A doubt about the *call* is a 401. A doubt about *our keys* is a 503, which the network repeats: it
takes a 401 as a no, and would give a client's funds back because we could not reach a page.
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
"""A new key is shown for as long before it signs."""
LEAST_REFETCH_SECONDS: Final = 5
"""Whoever sends made-up key ids must not have us ask the network for each of them."""
MOST_LIFETIME_SECONDS: Final = 60
CLOCKS_DIFFER_SECONDS: Final = 5
MOST_TOKEN_CHARACTERS: Final = 8_192
_CLAIMS: Final = ("iss", "aud", "iat", "exp", "jti", "method", "path", "bodySha256")

FetchKeys = Callable[[], Awaitable[bytes]]
"""Reads the network's key set; raises OSError where it cannot."""


class RefusedSignatureError(Exception):
    """The call is not the network's; the message says what is wrong with it."""


class KeysUnavailableError(Exception):
    """Whether the call is the network's cannot be said now."""


class KeySet:
    """The network's public keys: kept for a while, and read anew for one that is not among them."""

    def __init__(self, fetch: FetchKeys, seconds: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """The key of this id.

        Raises:
            RefusedSignatureError: the network has no such key.
            KeysUnavailableError: the key set cannot be read, or was read only a moment ago.
        """
        async with self._lock:
            known = self._keys.get(key_id)
            if known is not None and self._is_fresh():
                return known
            if self._tried_at is not None and self._seconds() - self._tried_at < LEAST_REFETCH_SECONDS:
                raise KeysUnavailableError("the key set was read a moment ago, and will be read anew soon")
            await self._read()
        found = self._keys.get(key_id)
        if found is None:
            raise RefusedSignatureError("the network has no key of this id")
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
class Signed:
    """A call whose signature is good, as far as its body is not looked at."""

    token_id: str
    expires_at: int
    body_sha256: str


class Checker:
    """Checks every call; a signature is good once."""

    def __init__(self, keys: KeySet, *, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        """Begins with no signature seen.

        Args:
            keys: the network's.
            issuer: what the network calls itself.
            audience: our own address, exactly as the network has it.
            now: the world's time in seconds.
        """
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._seen: dict[str, int] = {}

    async def check(self, token: str | None, method: str, path: str) -> Signed:
        """Looks at all but the body, before that is read.

        Raises:
            RefusedSignatureError: it is not the network's.
            KeysUnavailableError: nobody can say now.
        """
        if not token or len(token) > MOST_TOKEN_CHARACTERS:
            raise RefusedSignatureError("the call has no signature, or none of a sensible length")
        claims = self._claims(token, await self._keys.key(_key_id(token)))
        if claims["exp"] - claims["iat"] > MOST_LIFETIME_SECONDS:
            raise RefusedSignatureError(f"the signature is good for more than {MOST_LIFETIME_SECONDS} seconds")
        if (claims["method"], claims["path"]) != (method, path):
            raise RefusedSignatureError("the signature is of another request")
        return Signed(str(claims["jti"]), int(claims["exp"]), str(claims["bodySha256"]))

    def accept(self, signed: Signed, body: bytes) -> None:
        """Looks at the body, and takes the signature, which is not taken again.

        Raises:
            RefusedSignatureError: the body is another one, or the signature was used.
        """
        if hashlib.sha256(body).hexdigest() != signed.body_sha256:
            raise RefusedSignatureError("the signature is of another body")
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
            raise RefusedSignatureError(f"the signature is not good: {error}") from None
        if not all(isinstance(claims[name], int) for name in ("iat", "exp")):
            raise RefusedSignatureError("the signature's times are not whole seconds")
        return claims

    def _forget(self) -> None:
        """What has expired is refused for that, and need not be remembered. The oldest are in front."""
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
    """The RSA keys in a key set; others are of no use here."""
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")  # noqa: TRY004 - wrong content, like any other
    return {
        key["kid"]: jwt.PyJWK(key, algorithm="RS256")
        for key in document["keys"]
        if isinstance(key, dict) and isinstance(key.get("kid"), str) and key.get("kty") == "RSA"
    }
