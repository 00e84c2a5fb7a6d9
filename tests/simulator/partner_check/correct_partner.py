"""A correct partner, made of small methods, so that subclasses can have one defect each."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Final

import jwt

from tests.support.partners import Json, Reaction

ISSUER: Final = "clearwindow"
JSON: Final = (("Content-Type", "application/json"),)


def read(key_set_url: str) -> bytes:
    with urllib.request.urlopen(key_set_url, timeout=60) as answer:  # noqa: S310 - the test's own
        content: bytes = answer.read()
        return content


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure
    def __init__(self, status: int, reason: str = "no") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class Held:
    """An accepted allocation or deallocation."""

    connection_id: str
    quantity: Fraction
    answer: Json
    state: str = "reserved"


@dataclass
class CorrectPartner:
    finds: ClassVar[tuple[str, ...]] = ()
    """The checks that find the defect of a subclass."""

    url: str
    read_key_set: Callable[[], bytes] = lambda: b""
    connections: dict[str, Json] = field(default_factory=dict)
    free: dict[str, Fraction] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    jtis: set[str] = field(default_factory=set)
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        with self.lock:
            try:
                self.verify(method, path, signature, raw)
                answer = self.answer(path.split("/")[3:], self.read(raw))
            except (jwt.PyJWTError, AssertionError, KeyError) as error:
                return Reaction(401, {"error": str(error)}, JSON)
            except Refusal as error:
                return self.refused(error)
        return Reaction(200, answer, JSON)

    def refused(self, refusal: Refusal) -> Reaction:
        return Reaction(refusal.status, {"rejectionReason": refusal.reason}, JSON)

    # The signature

    def verify(self, method: str, path: str, signature: str | None, raw: bytes) -> None:
        assert signature is not None, "the signature is missing"
        claims = self.claims(signature)
        assert claims["exp"] - claims["iat"] <= 60, "valid for too long"
        self.compare(claims, method, path, hashlib.sha256(raw).hexdigest())
        self.remember(claims["jti"])

    def claims(self, signature: str) -> Json:
        key = self.key(jwt.get_unverified_header(signature)["kid"])
        return self.decode(signature, key)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        terms: dict[str, Any] = {
            "algorithms": ["RS256"],
            "audience": self.url,
            "issuer": ISSUER,
            "leeway": 10,
            "options": {"require": ["exp", "iat", "jti", "aud", "iss"]},
        }
        claims: Json = jwt.decode(signature, key, **(terms | changed))
        return claims

    def key(self, key_id: str) -> jwt.PyJWK:
        if key_id not in self.keys:
            self.keys = self.read_keys()
        return self.keys[key_id]

    def read_keys(self) -> dict[str, jwt.PyJWK]:
        return {key["kid"]: jwt.PyJWK(key) for key in json.loads(self.read_key_set())["keys"]}

    def compare(self, claims: Json, method: str, path: str, sha256: str) -> None:
        assert claims["method"] == method, "for another method"
        assert claims["path"] == path, "for another path"
        assert claims["bodySha256"] == sha256, "for another body"

    def remember(self, jti: str) -> None:
        assert jti not in self.jtis, "the signature was used before"
        self.jtis.add(jti)

    # The call

    def read(self, raw: bytes) -> Json:
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refusal(400, "not JSON") from None
        if not isinstance(body, dict):
            raise Refusal(400, "not an object")
        return body

    def answer(self, place: list[str], body: Json) -> Json:
        match place:
            case ["connections"]:
                return self.connect(body)
            case ["allocations" | "deallocations" as kinds]:
                return self.ask(kinds[:-1], body)
            case ["allocation" | "deallocation" as kind, subject_id, "clear"]:
                return self.clear(kind, subject_id)
            case ["allocation" | "deallocation" as kind, subject_id, "release"]:
                return self.release(kind, subject_id)
            case ["settlements", settlement_id, "finalize"]:
                return self.finalize(settlement_id)
            case _:
                raise Refusal(404)

    def connect(self, body: Json) -> Json:
        names = {"partnersClientId": "their-client", "partnersConnectionId": f"theirs-{body['connectionId']}"}
        self.connections[body["connectionId"]] = body
        self.free.setdefault(body["connectionId"], Fraction(0))
        return {"clientId": body["clientId"], "connectionId": body["connectionId"], **names}

    def ask(self, kind: str, body: Json) -> Json:
        known = self.held.get(body[f"{kind}Id"])
        if known is None:
            known = self.grant(kind, body)
            self.held[body[f"{kind}Id"]] = known
        return known.answer

    def grant(self, kind: str, body: Json) -> Held:
        connection_id = body["connectionId"]
        if connection_id not in self.connections:
            raise Refusal(422, "there is no such connection")
        quantity = self.quantity(body["amount"]["quantity"])
        if quantity <= 0:
            raise Refusal(422, "not above zero")
        if kind == "deallocation":
            if self.free[connection_id] < quantity:
                raise Refusal(200, "more than is free")
            self.free[connection_id] -= quantity
        own = {f"partners{kind.capitalize()}Id": f"their-{body[f'{kind}Id']}"}
        repeated = {name: value for name, value in body.items() if name != "addedLater"}
        return Held(connection_id, quantity, {**repeated, **own})

    def quantity(self, text: str) -> Fraction:
        return Fraction(text)

    def known(self, subject_id: str) -> Held:
        if subject_id not in self.held:
            raise Refusal(404, "there is none")
        return self.held[subject_id]

    def clear(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if held.state == "released":
            raise Refusal(409, "released already")
        if held.state == "reserved" and kind == "allocation":
            self.free[held.connection_id] += held.quantity
        held.state = "cleared"
        return {}

    def release(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if held.state == "cleared":
            raise Refusal(409, "cleared already")
        if held.state == "reserved" and kind == "deallocation":
            self.free[held.connection_id] += held.quantity
        held.state = "released"
        return {}

    def finalize(self, settlement_id: str) -> Json:
        return {"settlementId": settlement_id}
