"""Acts as the network towards one endpoint, with the same code that the network uses for its calls."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from clearwindow.core.clock import Clock, SystemClock
from clearwindow.outbound.models import NoAnswerError, Reply, Request
from clearwindow.partner_calls import rules, signatures
from clearwindow.partner_calls.models import Accepted, Answer, Operation, Silent
from clearwindow.simulator.partner_check.keys import KeySet
from clearwindow.simulator.partner_check.models import DEFAULT_CONNECTION_KEY, Call, Terms

Claims = dict[str, Any]
Sign = Callable[[Claims], str | None]
"""Returns the value of the signature header for these claims; None for no header."""

HIDDEN: Final = "•••"
_LANE: Final = "partner-check"


class Sender(Protocol):
    """Sends the calls: ``outbound.client.Outgoing``, as in the network itself."""

    def send(self, request: Request, *, lane: str, timeout_seconds: float | None = None) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as it was sent to the endpoint, and the endpoint's answer."""

    id: UUID
    client_id: UUID
    body: Mapping[str, object] = field(repr=False)
    call: Call
    answer: Accepted

    @property
    def partners_client_id(self) -> str | None:
        return rules.partners_own(self.answer, "ClientId")

    @property
    def partners_connection_id(self) -> str | None:
        return rules.partners_own(self.answer, "ConnectionId")


class Network:
    """The network towards one endpoint: makes signed calls and records them."""

    def __init__(self, terms: Terms, keys: KeySet, outgoing: Sender, wall: Clock | None = None) -> None:
        self.terms = terms
        self.keys = keys
        self.calls: list[Call] = []
        self.wall = wall or SystemClock()
        self.partner_id = self.new_id()
        self._outgoing = outgoing
        self._connection: Connection | None = None

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def connection(self) -> Connection:
        """The connection that checks use, after the endpoint has accepted it."""
        if self._connection is None:
            raise AssertionError("a check that uses the connection must list it in its needs")
        return self._connection

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._connection = connection

    def new_id(self) -> UUID:
        return uuid4()

    def sign(self, claims: Claims) -> str:
        return signatures.encode(self.keys.current, claims)

    def call(
        self,
        operation: Operation,
        subject_id: UUID,
        body: Mapping[str, object] | bytes,
        sign: Sign | None = None,
    ) -> tuple[Call, Answer]:
        """Makes a call. Returns it with the answer as the network reads it."""
        raw = body if isinstance(body, bytes) else encoded(body)
        method, url, path = rules.address(self.terms.endpoint, operation, subject_id)
        signed = signatures.Signed(self.terms.audience or self.terms.url, method, path, raw)
        claims = signatures.claims_for(
            signed, issuer=self.terms.issuer, issued_at=self.wall.now(), token_id=str(self.new_id())
        )
        token = (sign or self.sign)(claims)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            headers[self.terms.header] = token
        return self._send(Request(method, url, headers, raw), path)

    def _send(self, request: Request, path: str) -> tuple[Call, Answer]:
        shown = self._without_secrets(request.body)
        started = time.monotonic()
        try:
            reply = self._outgoing.send(request, lane=_LANE, timeout_seconds=self.terms.timeout_seconds)
        except NoAnswerError as error:
            seconds = time.monotonic() - started
            call = Call(request.method, path, shown, seconds, silence=str(error))
            self.calls.append(call)
            return call, Silent(str(error))
        seconds = time.monotonic() - started
        answer = self._without_secrets(reply.body)
        call = Call(request.method, path, shown, seconds, reply.status, reply.content_type, answer)
        self.calls.append(call)
        return call, rules.answer_to_question(reply)

    def shown(self, text: str) -> str:
        """Returns an endpoint's text without connection keys and control characters."""
        bare = self._without_secrets(text.encode(errors="replace")).decode()
        return "".join(character if character.isprintable() else " " for character in bare)

    def _without_secrets(self, body: bytes) -> bytes:
        """Replaces the connection key, raw or in JSON spellings. The default key is not secret and stays."""
        if self.terms.connection_key is DEFAULT_CONNECTION_KEY:
            return body
        for secret in self.terms.connection_key.values():
            spelled = {secret, *(json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))}
            for spelling in spelled:
                body = body.replace(spelling.encode(), HIDDEN.encode())
        return body


def encoded(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
