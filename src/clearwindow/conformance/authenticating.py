"""Checks of what an endpoint does with calls that the network did not make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clearwindow.conformance import steps
from clearwindow.conformance.connecting import CONNECTED
from clearwindow.conformance.network import Claims, Network, Sign
from clearwindow.conformance.steps import ALLOCATION
from clearwindow.conformance.values import Call, CheckFailedError, Group, Level, NotApplicableError
from clearwindow.partnercalls import signatures
from clearwindow.partnercalls.values import PLACES, Operation

authentication: Final = Group("authentication", "Authentication", "§8")
_ASKED: Final = (*CONNECTED, "allocations.accepted")
_UNAUTHORISED: Final = (400, 401, 403)
_REFUSAL: Final = "401 (400 and 403 will do)"
_LIBRARY: Final = (
    "Verify with a JWT library that is told algorithms=[RS256], and take the key from the network's key set by kid."
)
Changed = Callable[[Claims], Claims]
_AGO_SECONDS: Final = 180
_LONG_SECONDS: Final = 3600
_SKEW_SECONDS: Final = 3
_PAUSE_SECONDS: Final = 0.5


@authentication.check(
    "missing",
    "A call without a signature is refused, at every path",
    "Answer 401 before you look at anything else, at all eight paths.",
    needs=_ASKED,
)
def missing(network: Network) -> None:
    asked = steps.reserve(network, ALLOCATION)
    try:
        for operation, place in PLACES.items():
            subject = asked.id if place.name.startswith("allocation") else network.new_id()
            call, _ = network.call(operation, subject, asked.body, lambda _: None)
            # What an endpoint has never heard of, it may say so of; who answers later is never told an outcome.
            is_unknown = subject != asked.id or network.terms.answers_later
            also = (404,) if "{id}" in place.path and is_unknown else ()
            _require_unauthorised(call, also)
    finally:
        steps.call_off(network, asked)


@authentication.check("garbage", "A signature that is none is refused", "Answer 401.", needs=_ASKED)
def garbage(network: Network) -> None:
    _require_refused(network, lambda _: "this.is.nothing")


@authentication.check("forged", "A signature of another key under a known kid is refused", _LIBRARY, needs=_ASKED)
def forged(network: Network) -> None:
    stranger = signatures.SigningKey(network.keys.current.id, network.keys.stranger.private)
    _require_refused(network, lambda claims: signatures.encode(stranger, claims))


@authentication.check(
    "unknown-key", "A signature of a key that the network does not show is refused", _LIBRARY, needs=_ASKED
)
def unknown_key(network: Network) -> None:
    # Who has just read the key set need not do it again, and may say that it does not know yet.
    _require_refused(network, lambda claims: signatures.encode(network.keys.stranger, claims), also=(503,))


@authentication.check("unsigned", "A JWT with alg none is refused", _LIBRARY, needs=_ASKED)
def unsigned(network: Network) -> None:
    _require_refused(network, lambda claims: f"{_unsigned(network, 'none', claims)}.")


@authentication.check(
    "hmac", "A JWT whose HMAC is made with the public key (alg HS256) is refused", _LIBRARY, needs=_ASKED
)
def public_key_as_secret(network: Network) -> None:
    public = network.keys.current.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(claims: Claims, secret: bytes) -> str:
        text = _unsigned(network, "HS256", claims)
        return f"{text}.{_base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    _require_refused(network, lambda claims: sign(claims, pem))
    _require_refused(network, lambda claims: sign(claims, pem.strip()))


@authentication.check(
    "expired", "A signature that has expired is refused", "Check exp, with a leeway of seconds.", needs=_ASKED
)
def expired(network: Network) -> None:
    _require_refused(
        network, _with(network, lambda c: {"iat": c["iat"] - _AGO_SECONDS, "exp": c["exp"] - _AGO_SECONDS})
    )


@authentication.check(
    "endless",
    "A signature without an expiry is refused",
    "Require exp: most libraries check it only where it is.",
    needs=_ASKED,
)
def endless(network: Network) -> None:
    _require_refused(network, lambda claims: network.honest({k: v for k, v in claims.items() if k != "exp"}))


@authentication.check(
    "long-lived",
    "A signature that is good for more than a minute is refused",
    "Refuse what expires more than 60 seconds after iat: you remember each jti until it expires.",
    needs=_ASKED,
    level=Level.SHOULD,
)
def long_lived(network: Network) -> None:
    _require_refused(network, _with(network, lambda c: {"exp": c["iat"] + _LONG_SECONDS}))


@authentication.check(
    "ahead",
    "A signature of a network whose clock is three seconds ahead is accepted",
    "Give iat a leeway of some seconds: no two clocks agree.",
    needs=_ASKED,
    level=Level.SHOULD,
)
def ahead(network: Network) -> None:
    asked = steps.ask(
        network,
        ALLOCATION,
        sign=_with(network, lambda c: {"iat": c["iat"] + _SKEW_SECONDS, "exp": c["exp"] + _SKEW_SECONDS}),
    )
    steps.require_yes(asked)
    steps.call_off(network, asked)


@authentication.check(
    "audience",
    "A signature for another audience is refused",
    "Check that aud is your own callback address.",
    needs=_ASKED,
)
def audience(network: Network) -> None:
    _require_refused(network, _with(network, lambda _: {"aud": "https://another-exchange.example"}))


@authentication.check(
    "issuer", "A signature of another issuer is refused", "Check that iss is the network's.", needs=_ASKED
)
def issuer(network: Network) -> None:
    _require_refused(network, _with(network, lambda _: {"iss": "another-network"}))


@authentication.check(
    "body",
    "A signature over another body is refused",
    "Compare bodySha256 with the SHA-256 of the very bytes that came, in hexadecimal.",
    needs=_ASKED,
)
def body(network: Network) -> None:
    _require_refused(network, _with(network, lambda _: {"bodySha256": hashlib.sha256(b"{}").hexdigest()}))


@authentication.check(
    "path", "A signature for another path is refused", "Compare path with that of the request.", needs=_ASKED
)
def path(network: Network) -> None:
    _require_refused(network, _with(network, lambda c: {"path": f"{c['path']}/elsewhere"}))


@authentication.check(
    "method", "A signature for another method is refused", "Compare method with that of the request.", needs=_ASKED
)
def method(network: Network) -> None:
    _require_refused(network, _with(network, lambda _: {"method": "PUT"}))


@authentication.check(
    "unnamed",
    "A signature without a jti is refused",
    "Require jti: without it a replay cannot be told.",
    needs=_ASKED,
)
def unnamed(network: Network) -> None:
    _require_refused(network, lambda claims: network.honest({k: v for k, v in claims.items() if k != "jti"}))


@authentication.check(
    "replayed",
    "The same signature a second time is refused",
    "Remember each jti until its signature expires, over all processes that answer.",
    needs=_ASKED,
)
def replayed(network: Network) -> None:
    tokens: list[str] = []

    def once(claims: Claims) -> str:
        tokens.append(network.honest(claims))
        return tokens[0]

    asked = steps.ask(network, ALLOCATION, sign=once)
    steps.require_yes(asked)
    call, _ = network.call(Operation.ALLOCATION, asked.id, asked.body, once)
    steps.call_off(network, asked)
    _require_unauthorised(call)


@authentication.check(
    "no-effect",
    "A call that is refused for its signature has no effect",
    "Check the signature before you do anything.",
    needs=(*_ASKED, "authentication.forged"),
)
def no_effect(network: Network) -> None:
    stranger = signatures.SigningKey(network.keys.current.id, network.keys.stranger.private)
    forged = steps.ask(network, ALLOCATION, sign=lambda claims: signatures.encode(stranger, claims))
    # Had it been kept, the honest one would be answered as the first, or refused for being another.
    another = steps.plus(network.terms.quantity, steps.plus(network.terms.quantity, network.terms.quantity))
    honest = steps.ask(network, ALLOCATION, another, subject_id=forged.id)
    steps.call_off(network, honest)
    steps.require_yes(honest, "an honest allocation of another amount, under the id of a forged one: ")


@authentication.check(
    "rotated",
    "A new key of the network is taken up",
    "Read the key set anew for a kid that you do not know (not more often than every few seconds), and keep it "
    "for five "
    "minutes at most.",
    needs=_ASKED,
)
def rotated(network: Network) -> None:
    if not network.keys.is_served:
        raise NotApplicableError("this run does not serve the key set, so that it cannot show a new key")
    reads = network.keys.reads
    network.keys.rotate()
    give_up_at = time.monotonic() + network.terms.rotation_seconds
    while True:
        asked = steps.ask(network, ALLOCATION)
        if steps.is_yes(asked):
            steps.call_off(network, asked)
            return
        if time.monotonic() > give_up_at:
            break
        time.sleep(_PAUSE_SECONDS)
    network.keys.rotate_back()
    looked = network.keys.reads - reads
    raise CheckFailedError(
        f"{asked.said}; the key set was read {looked} times since the new key is shown", steps.A_YES, asked.call
    )


def _require_refused(network: Network, sign: Sign, also: tuple[int, ...] = ()) -> None:
    """An allocation under that signature is refused; one that is granted all the same is released."""
    asked = steps.ask(network, ALLOCATION, sign=sign)
    if steps.is_yes(asked):
        steps.call_off(network, asked)
    _require_unauthorised(asked.call, also)


def _require_unauthorised(call: Call, also: tuple[int, ...] = ()) -> None:
    if call.status not in _UNAUTHORISED + also:
        said = f"HTTP {call.status}" if call.status is not None else f"no answer: {call.silence}"
        raise CheckFailedError(said, _REFUSAL, call)


def _with(network: Network, changed: Changed) -> Sign:
    """The honest signature but for some claims."""
    return lambda claims: network.honest({**claims, **changed(claims)})


def _unsigned(network: Network, algorithm: str, claims: Claims) -> str:
    """The part of a JWT that a signature is made over, put together by hand: no library makes these."""
    header = {"alg": algorithm, "typ": "JWT", "kid": network.keys.current.id}
    return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
