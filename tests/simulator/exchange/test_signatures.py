"""Only calls with a valid signature of the network are accepted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from clearwindow.simulator.exchange.signatures import (
    Checker,
    KeySet,
    KeysUnavailableError,
    RefusedSignatureError,
)

AUDIENCE = "http://127.0.0.1:9101"
PATH = "/bitgo/v1/allocations"
BODY = b'{"allocationId":"a-1"}'


@cache
def private_key(_name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def key_set(*names: str) -> bytes:
    """Returns a key set as the network serves it, with one key of another type in it."""
    keys = [RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True) | {"kid": name} for name in names]
    return json.dumps({"keys": [{"kty": "EC", "kid": "other"}, *keys]}).encode()


class Network:
    """The network's key set: its content, how often it was read, and the current time."""

    def __init__(self, *names: str) -> None:
        self.content: bytes | None = key_set(*names)
        self.reads = 0
        self.seconds = 1_000.0

    async def fetch(self) -> bytes:
        self.reads += 1
        if self.content is None:
            raise OSError("unreachable")
        return self.content

    def keys(self) -> KeySet:
        return KeySet(self.fetch, lambda: self.seconds)


def claims(*, now: int = 0, lifetime: float = 60, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - a forger's
    """Returns valid claims except for the changed ones; ``now`` shifts their times by so many seconds."""
    now += int(time.time())
    good = {
        "iss": "clearwindow",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
        "jti": "once",
        "method": "POST",
        "path": PATH,
        "bodySha256": hashlib.sha256(BODY).hexdigest(),
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def token(*, key: str = "first", kid: str | None = "first", **changed: Any) -> str:  # noqa: ANN401 - the same
    return jwt.encode(claims(**changed), private_key(key), algorithm="RS256", headers={"kid": kid} if kid else None)


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def part(document: dict[str, Any]) -> str:
    return base64url(json.dumps(document).encode())


def check(checker: Checker, signature: str | None, *, path: str = PATH, body: bytes = BODY) -> None:
    async def both() -> None:
        checker.accept(await checker.check(signature, "POST", path), body)

    asyncio.run(both())


@pytest.fixture
def network() -> Network:
    return Network("first")


@pytest.fixture
def checker(network: Network) -> Checker:
    return Checker(network.keys(), issuer="clearwindow", audience=AUDIENCE)


def test_a_valid_signature_is_accepted_once(checker: Checker) -> None:
    check(checker, token())
    with pytest.raises(RefusedSignatureError, match="used before"):
        check(checker, token())
    check(checker, token(jti="twice"))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"key": "forged"}, "not valid"),
        ({"iss": "somebody"}, "not valid"),
        ({"aud": "http://127.0.0.1:9102"}, "not valid"),
        ({"aud": [AUDIENCE, "http://127.0.0.1:9102"]}, "not valid"),
        ({"now": -120}, "not valid"),
        ({"now": 3_000}, "not valid"),
        ({"lifetime": 61}, "more than 60 seconds"),
        ({"lifetime": 30.5}, "whole seconds"),
        ({"method": "PUT"}, "another request"),
        ({"path": "/bitgo/v1/deallocations"}, "another request"),
        ({"bodySha256": hashlib.sha256(b"{}").hexdigest()}, "another body"),
        ({"kid": None}, "name its key"),
        *[({name: None}, "not valid") for name in claims()],
    ],
)
def test_a_signature_with_a_wrong_claim_or_key_is_refused(
    checker: Checker, changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(RefusedSignatureError, match=why):
        check(checker, token(**changed))


def test_an_invalid_token_is_refused(checker: Checker) -> None:
    public = private_key("first").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = f"{part({'alg': 'none', 'kid': 'first'})}.{part(claims())}."
    signed = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(claims())}"
    with_the_public_key = f"{signed}.{base64url(hmac.digest(public, signed.encode(), 'sha256'))}"
    deep = f"{base64url(b'[' * 6_000)}.e30.AA"
    not_texts = (None, "", "abc", "a.b.c", "x" * 10_000, deep)
    for forged in (*not_texts, unsigned, with_the_public_key, token()[:-4] + "AAAA"):
        with pytest.raises(RefusedSignatureError):
            check(checker, forged)
    # None of them has used up the valid one.
    check(checker, token())


def test_a_changed_body_or_path_is_refused(checker: Checker) -> None:
    with pytest.raises(RefusedSignatureError, match="another body"):
        check(checker, token(), body=BODY.replace(b"a-1", b"a-2"))
    with pytest.raises(RefusedSignatureError, match="another request"):
        check(checker, token(), path="/bitgo/v1/deallocations")


def test_a_used_signature_is_remembered_until_it_expires(network: Network) -> None:
    seconds = time.time()
    checker = Checker(network.keys(), issuer="clearwindow", audience=AUDIENCE, now=lambda: seconds)
    check(checker, token(jti="old"))
    seconds += 64
    with pytest.raises(RefusedSignatureError, match="used before"):
        check(checker, token(jti="old"))
    seconds += 2
    check(checker, token(jti="old"))


def test_the_key_set_is_cached_and_read_again_for_an_unknown_key(network: Network, checker: Checker) -> None:
    for number in range(3):
        check(checker, token(jti=f"{number}"))
    assert network.reads == 1
    network.content = key_set("first", "second")
    # The set was read just now, so the key may be new or invented. The network repeats the call.
    with pytest.raises(KeysUnavailableError):
        check(checker, token(key="second", kid="second", jti="new"))
    assert network.reads == 1
    network.seconds += 5
    check(checker, token(key="second", kid="second", jti="new"))
    assert network.reads == 2
    network.seconds += 5
    with pytest.raises(RefusedSignatureError, match="no key with this id"):
        check(checker, token(kid="third", jti="third"))
    with pytest.raises(KeysUnavailableError):
        check(checker, token(kid="fourth", jti="fourth"))
    assert network.reads == 3
    check(checker, token(jti="still good"))


def test_a_removed_key_is_accepted_for_five_minutes_at_most(network: Network, checker: Checker) -> None:
    check(checker, token())
    network.content = key_set("second")
    network.seconds += 299
    check(checker, token(jti="in time"))
    network.seconds += 1
    with pytest.raises(RefusedSignatureError, match="no key with this id"):
        check(checker, token(jti="too late"))


@pytest.mark.parametrize(
    "content", [None, b"", b"<html>", b"[]", b'{"keys": 1}', b'{"keys": [{"kty":"RSA","kid":"x"}]}']
)
def test_without_the_key_set_the_call_is_not_refused(
    network: Network, checker: Checker, content: bytes | None
) -> None:
    network.content = content
    with pytest.raises(KeysUnavailableError):
        check(checker, token())
    network.content = key_set("first")
    network.seconds += 5
    check(checker, token())
