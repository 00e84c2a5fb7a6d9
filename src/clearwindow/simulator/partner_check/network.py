"""Plays the network towards one endpoint: what it sends is made by the very code that the network sends with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from clearwindow.clock import Clock, SystemClock
from clearwindow.conformance.keys import KeySet
from clearwindow.conformance.values import DEFAULT_CONNECTION_KEY, Call, Terms
from clearwindow.outgoing.values import NoAnswerError, Reply, Request
from clearwindow.partnercalls import rules, signatures
from clearwindow.partnercalls.values import Accepted, Answer, Operation, Silent

Claims = dict[str, Any]
Sign = Callable[[Claims], str | None]
"""The header's value for the claims of an honest call; None: no header at all."""

HIDDEN: Final = "•••"
_LANE: Final = "partner-check"


class Sender(Protocol):
    """What carries the calls: ``outgoing.client.Outgoing``, as in the network itself."""

    def send(self, request: Request, *, lane: str, timeout_seconds: float | None = None) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as the endpoint was told of it, and what it calls it."""

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
        """The connection that all is asked about, once the endpoint has taken it."""
        if self._connection is None:
            raise AssertionError("a check that needs the connection says so in its needs")
        return self._connection

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._connection = connection

    def new_id(self) -> UUID:
        return uuid4()

    def honest(self, claims: Claims) -> str:
        return signatures.encode(self.keys.current, claims)

    def call(
        self,
        operation: Operation,
        subject_id: UUID,
        body: Mapping[str, object] | bytes,
        sign: Sign | None = None,
    ) -> tuple[Call, Answer]:
        """Makes a call and says what the network would take the answer for."""
        raw = body if isinstance(body, bytes) else encoded(body)
        method, url, path = rules.address(self.terms.endpoint, operation, subject_id)
        signed = signatures.Signed(self.terms.audience or self.terms.url, method, path, raw)
        claims = signatures.claims_for(
            signed, issuer=self.terms.issuer, issued_at=self.wall.now(), token_id=str(self.new_id())
        )
        token = (sign or self.honest)(claims)
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
        return call, rules.understood(reply)

    def shown(self, text: str) -> str:
        """What may be shown of what an endpoint says: no key, and nothing that a terminal would obey."""
        bare = self._without_secrets(text.encode(errors="replace")).decode()
        return "".join(character if character.isprintable() else " " for character in bare)

    def _without_secrets(self, body: bytes) -> bytes:
        """Wherever the key stands in it, in JSON's two spellings or as it is; the one that we made up is none."""
        if self.terms.connection_key is DEFAULT_CONNECTION_KEY:
            return body
        for secret in self.terms.connection_key.values():
            spelled = {secret, *(json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))}
            for spelling in spelled:
                body = body.replace(spelling.encode(), HIDDEN.encode())
        return body


def encoded(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
