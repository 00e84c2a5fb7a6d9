"""Checks that an endpoint refuses calls without a valid signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clearwindow.partner_calls import signatures
from clearwindow.partner_calls.models import PLACES, Operation
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.connections import CONNECTED
from clearwindow.simulator.partner_check.models import Call, CheckFailedError, Group, Level, NotApplicableError
from clearwindow.simulator.partner_check.network import Claims, Network, Sign
from clearwindow.simulator.partner_check.steps import ALLOCATION

authentication: Final = Group("authentication", "Authentication", "§8")
_NEEDS: Final = (*CONNECTED, "allocations.accepted")
_UNAUTHORISED: Final = (400, 401, 403)
_REFUSAL: Final = "401 (400 and 403 are accepted too)"
_LIBRARY: Final = (
    "Verify with a JWT library and algorithms=[RS256], and take the key from the network's key set by kid."
)
Changed = Callable[[Claims], Claims]
_AGO_SECONDS: Final = 180
_LONG_SECONDS: Final = 3600
_SKEW_SECONDS: Final = 3
_PAUSE_SECONDS: Final = 0.5


@authentication.check(
    "missing",
    "A call without a signature is refused at every path",
    "Answer 401 before you check anything else, at all eight paths.",
    needs=_NEEDS,
)
def missing(network: Network) -> None:
    request = steps.reserve(network, ALLOCATION)
    try:
        for operation, place in PLACES.items():
            subject = request.id if place.name.startswith("allocation") else network.new_id()
            call, _ = network.call(operation, subject, request.body, lambda _: None)
            # A 404 is fine for an unknown id. A partner that answers later serves no outcomes.
            is_unknown = subject != request.id or network.terms.answers_later
            also = (404,) if "{id}" in place.path and is_unknown else ()
            _require_unauthorised(call, also)
    finally:
        steps.cancel(network, request)


@authentication.check("garbage", "A malformed signature is refused", "Answer 401.", needs=_NEEDS)
def garbage(network: Network) -> None:
    _require_refused(network, lambda _: "this.is.nothing")


@authentication.check("forged", "A signature of another key with a known kid is refused", _LIBRARY, needs=_NEEDS)
def forged(network: Network) -> None:
    unknown_key = signatures.SigningKey(network.keys.current.id, network.keys.unknown_key.private)
    _require_refused(network, lambda claims: signatures.encode(unknown_key, claims))


@authentication.check(
    "unknown-key", "A signature of a key that is not in the key set is refused", _LIBRARY, needs=_NEEDS
)
def unknown_key(network: Network) -> None:
    # An endpoint that has just read the key set may answer 503 instead of reading it again.
    _require_refused(network, lambda claims: signatures.encode(network.keys.unknown_key, claims), also=(503,))


@authentication.check("unsigned", "A JWT with alg none is refused", _LIBRARY, needs=_NEEDS)
def unsigned(network: Network) -> None:
    _require_refused(network, lambda claims: f"{_unsigned(network, 'none', claims)}.")


@authentication.check(
    "hmac", "A JWT whose HMAC is made with the public key (alg HS256) is refused", _LIBRARY, needs=_NEEDS
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
    "expired", "A signature that has expired is refused", "Check exp, with a leeway of a few seconds.", needs=_NEEDS
)
def expired(network: Network) -> None:
    _require_refused(
        network, _with_claims(network, lambda c: {"iat": c["iat"] - _AGO_SECONDS, "exp": c["exp"] - _AGO_SECONDS})
    )


@authentication.check(
    "endless",
    "A signature without an expiry is refused",
    "Require exp. Most libraries check it only if it is present.",
    needs=_NEEDS,
)
def endless(network: Network) -> None:
    _require_refused(network, lambda claims: network.sign({k: v for k, v in claims.items() if k != "exp"}))


@authentication.check(
    "long-lived",
    "A signature that is valid for more than a minute is refused",
    "Refuse a signature that expires more than 60 seconds after iat, because you must remember each jti until it "
    "expires.",
    needs=_NEEDS,
    level=Level.SHOULD,
)
def long_lived(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda c: {"exp": c["iat"] + _LONG_SECONDS}))


@authentication.check(
    "ahead",
    "A signature from a clock that is three seconds ahead is accepted",
    "Check iat with a leeway of a few seconds, because clocks differ.",
    needs=_NEEDS,
    level=Level.SHOULD,
)
def ahead(network: Network) -> None:
    request = steps.send(
        network,
        ALLOCATION,
        sign=_with_claims(network, lambda c: {"iat": c["iat"] + _SKEW_SECONDS, "exp": c["exp"] + _SKEW_SECONDS}),
    )
    steps.require_acceptance(request)
    steps.cancel(network, request)


@authentication.check(
    "audience",
    "A signature for another audience is refused",
    "Check that aud is your own callback URL.",
    needs=_NEEDS,
)
def audience(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda _: {"aud": "https://another-exchange.example"}))


@authentication.check(
    "issuer", "A signature of another issuer is refused", "Check that iss is the network's issuer.", needs=_NEEDS
)
def issuer(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda _: {"iss": "another-network"}))


@authentication.check(
    "body",
    "A signature for another body is refused",
    "Compare bodySha256 with the hexadecimal SHA-256 of the exact bytes that arrived.",
    needs=_NEEDS,
)
def body(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda _: {"bodySha256": hashlib.sha256(b"{}").hexdigest()}))


@authentication.check(
    "path", "A signature for another path is refused", "Compare path with the path of the request.", needs=_NEEDS
)
def path(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda c: {"path": f"{c['path']}/elsewhere"}))


@authentication.check(
    "method",
    "A signature for another method is refused",
    "Compare method with the method of the request.",
    needs=_NEEDS,
)
def method(network: Network) -> None:
    _require_refused(network, _with_claims(network, lambda _: {"method": "PUT"}))


@authentication.check(
    "unnamed",
    "A signature without a jti is refused",
    "Require jti. Without it a replay cannot be detected.",
    needs=_NEEDS,
)
def unnamed(network: Network) -> None:
    _require_refused(network, lambda claims: network.sign({k: v for k, v in claims.items() if k != "jti"}))


@authentication.check(
    "replayed",
    "A signature that was used before is refused",
    "Remember each jti until its signature expires, shared by all processes that answer calls.",
    needs=_NEEDS,
)
def replayed(network: Network) -> None:
    tokens: list[str] = []

    def once(claims: Claims) -> str:
        tokens.append(network.sign(claims))
        return tokens[0]

    request = steps.send(network, ALLOCATION, sign=once)
    steps.require_acceptance(request)
    call, _ = network.call(Operation.ALLOCATION, request.id, request.body, once)
    steps.cancel(network, request)
    _require_unauthorised(call)


@authentication.check(
    "no-effect",
    "A call with an invalid signature has no effect",
    "Check the signature before anything else.",
    needs=(*_NEEDS, "authentication.forged"),
)
def no_effect(network: Network) -> None:
    unknown_key = signatures.SigningKey(network.keys.current.id, network.keys.unknown_key.private)
    forged = steps.send(network, ALLOCATION, sign=lambda claims: signatures.encode(unknown_key, claims))
    # If the endpoint had stored the forged one, this one would get its answer, or be refused because it differs.
    another = steps.plus(network.terms.quantity, steps.plus(network.terms.quantity, network.terms.quantity))
    genuine = steps.send(network, ALLOCATION, another, subject_id=forged.id)
    steps.cancel(network, genuine)
    steps.require_acceptance(genuine, "a valid allocation of another amount, with the id of a forged one: ")


@authentication.check(
    "rotated",
    "A new key of the network is accepted",
    "Read the key set again for an unknown kid (at most every few seconds), and cache it for at most five minutes.",
    needs=_NEEDS,
)
def rotated(network: Network) -> None:
    if not network.keys.is_served:
        raise NotApplicableError("this run does not serve the key set, so it cannot publish a new key")
    reads = network.keys.reads
    network.keys.rotate()
    give_up_at = time.monotonic() + network.terms.rotation_seconds
    while True:
        request = steps.send(network, ALLOCATION)
        if steps.is_accepted(request):
            steps.cancel(network, request)
            return
        if time.monotonic() > give_up_at:
            break
        time.sleep(_PAUSE_SECONDS)
    network.keys.rotate_back()
    new_reads = network.keys.reads - reads
    raise CheckFailedError(
        f"{request.answer_text}; the key set was read {new_reads} times after the new key was published",
        steps.ACCEPTANCE,
        request.call,
    )


def _require_refused(network: Network, sign: Sign, also: tuple[int, ...] = ()) -> None:
    """Requires that an allocation with this signature is refused. Releases it if it is accepted."""
    request = steps.send(network, ALLOCATION, sign=sign)
    if steps.is_accepted(request):
        steps.cancel(network, request)
    _require_unauthorised(request.call, also)


def _require_unauthorised(call: Call, also: tuple[int, ...] = ()) -> None:
    if call.status not in _UNAUTHORISED + also:
        why = f"HTTP {call.status}" if call.status is not None else f"no answer: {call.silence}"
        raise CheckFailedError(why, _REFUSAL, call)


def _with_claims(network: Network, changed: Changed) -> Sign:
    """Returns a signer that changes some claims."""
    return lambda claims: network.sign({**claims, **changed(claims)})


def _unsigned(network: Network, algorithm: str, claims: Claims) -> str:
    """Returns the signed part of a JWT, built here because no library makes such invalid ones."""
    header = {"alg": algorithm, "typ": "JWT", "kid": network.keys.current.id}
    return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
