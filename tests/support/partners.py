"""A partner's endpoint on loopback: it checks every signature, and answers as the test decides."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, Protocol, TypeVar

import jwt

from tests.support.http import loopback_client
from tests.support.receivers import ForgivingServer

HEADER: Final = "X-BitGo-Signature"
_HUGE_CHUNK: Final = b"x" * 65_536
Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One received call, with the claims of its signature."""

    method: str
    path: str
    body: Json
    raw: bytes
    claims: Json
    key_id: str


@dataclass(frozen=True)
class Reaction:
    """An answer. ``cut``: the connection ends in the middle; ``endless``: the body never ends."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    delay_seconds: float = 0
    cut: bool = False
    endless: bool = False


class Reacting(Protocol):
    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction: ...


P = TypeVar("P", bound=Reacting)
Behaviour = Callable[[Seen], Reaction]


def agreeing(seen: Seen) -> Reaction:
    """Answers as a partner that agrees."""
    if seen.method == "PUT":
        return Reaction()
    if seen.path.endswith("/connections"):
        names = {"partnersClientId": "their-client", "partnersConnectionId": f"theirs-{seen.body['connectionId']}"}
        return Reaction(
            body={"clientId": seen.body["clientId"], "connectionId": seen.body["connectionId"], **names}
        )
    for what in ("allocation", "deallocation"):
        if seen.path.endswith(f"/{what}s"):
            own = f"partners{what.capitalize()}Id"
            return Reaction(body={**seen.body, own: f"their-{seen.body[f'{what}Id']}"})
    return Reaction()


def silent(_: Seen) -> Reaction:
    return Reaction(500, {"error": "something broke"})


def refusing(reason: str = "not today", status: int = 200) -> Behaviour:
    return lambda _: Reaction(status, {"rejectionReason": reason})


class FakePartner:
    """A partner that answers with ``behave``. ``seen`` are the calls, ``complaints`` the refused signatures."""

    def __init__(self, url: str, network_url: str) -> None:
        self.url = url
        self.behave: Behaviour = agreeing
        self.seen: list[Seen] = []
        self.complaints: list[str] = []
        self.network_url = network_url
        self._jtis: set[str] = set()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._lock = threading.Lock()

    def asked(self, ending: str) -> list[Seen]:
        """Returns the calls whose path has this ending."""
        return [seen for seen in self.seen if seen.path.endswith(ending)]

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        try:
            claims = self._verified(method, path, signature, raw)
        except (jwt.PyJWTError, AssertionError, KeyError) as error:
            self.complaints.append(repr(error))
            return Reaction(401, {"error": "the signature is not one"})
        key_id = str(jwt.get_unverified_header(signature or "")["kid"])
        seen = Seen(method, path, json.loads(raw or b"{}"), raw, claims, key_id)
        with self._lock:
            self.seen.append(seen)
        return self.behave(seen)

    def _verified(self, method: str, path: str, signature: str | None, raw: bytes) -> Json:
        assert signature is not None, "no signature"
        key = self._key(jwt.get_unverified_header(signature)["kid"])
        claims: Json = jwt.decode(
            signature,
            key,
            algorithms=["RS256"],
            audience=self.url,
            issuer="clearwindow",
            options={"require": ["jti", "exp", "iat"]},
        )
        assert claims["exp"] - claims["iat"] <= 60
        assert (claims["method"], claims["path"]) == (method, path)
        assert claims["bodySha256"] == hashlib.sha256(raw).hexdigest()
        with self._lock:
            assert claims["jti"] not in self._jtis, "a signature twice"
            self._jtis.add(claims["jti"])
        return claims

    def _key(self, key_id: str) -> jwt.PyJWK:
        """Returns the key; reads all keys again for an unknown id, as every partner should."""
        with self._lock:
            if key_id not in self._keys:
                with loopback_client() as http:
                    shown = http.get(f"{self.network_url}/.well-known/jwks.json").json()["keys"]
                self._keys = {key["kid"]: jwt.PyJWK(key) for key in shown}
            return self._keys[key_id]


@contextmanager
def fake_partner(network_url: str) -> Iterator[FakePartner]:
    """Runs a partner until the block ends. Fails if any signature was invalid."""
    with answering(lambda url: FakePartner(url, network_url)) as partner:
        yield partner
    assert partner.complaints == []


@contextmanager
def answering(at: Callable[[str], P]) -> Iterator[P]:
    """Serves an object that reacts like a partner until the block ends."""
    server = ForgivingServer(("127.0.0.1", 0), _Handler)
    partner = at(f"http://127.0.0.1:{server.server_address[1]}")
    server.partner = partner  # type: ignore[attr-defined]  # read by its handlers
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield partner
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written separately; the body must not wait until the head is acknowledged.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing."""

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
        partner: Reacting = self.server.partner  # type: ignore[attr-defined]  # set above
        reaction = partner.react(self.command, self.path, self.headers[HEADER], raw)
        time.sleep(reaction.delay_seconds)
        content = reaction.body if isinstance(reaction.body, bytes) else json.dumps(reaction.body).encode()
        with suppress(ConnectionError):
            self._send(reaction, content)

    def _send(self, reaction: Reaction, content: bytes) -> None:
        self.send_response(reaction.status)
        for name, value in reaction.headers:
            self.send_header(name, value)
        if not reaction.endless:
            self.send_header("Content-Length", str(len(content) * (2 if reaction.cut else 1)))
        self.end_headers()
        self.wfile.write(content)
        while reaction.endless:
            self.wfile.write(_HUGE_CHUNK)
        if reaction.cut or reaction.endless:
            self.close_connection = True
