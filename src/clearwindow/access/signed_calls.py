"""The edge for calls made with a v2x token: their HMAC is checked, and each answer to them carries one.

The token itself never travels: the caller sends its SHA-256 and an HMAC under it, as the field's JavaScript
SDK does. An answer is signed only to who has signed: signing what others like would help them to forge requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.access import codes, service
from clearwindow.access.signer import address_of, note_signer
from clearwindow.clock import Clock, SystemClock
from clearwindow.errors import NotAuthenticatedError
from clearwindow.http import problems
from clearwindow.http.bodies import read_bytes
from clearwindow.http.limits import visit_of
from clearwindow.runtime import Runtime

CODE_HEADER: Final = "HMAC"
TIMESTAMP_HEADER: Final = "Timestamp"
_HASHED_BEARER: Final = re.compile(r"[Bb]earer ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _Signed:
    secret: bytes
    call: codes.Call
    body: bytes


class SignedCalls:
    """Stands before the routes. Each answer to a signed call is held back until it is whole, and then signed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # The caller's clock is the world's, also where the network's own is moved by hand.
        self._clock: Clock = SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token_sha256 = _token_sha256(scope)
        if token_sha256 is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            signed = await self._verified(request, token_sha256)
        except Exception as error:  # noqa: BLE001 - answered as it would be behind us
            await (await problems.answer_to(request, error))(scope, receive, send)
            return
        note_signer(scope, token_sha256)
        answer = _HeldAnswer()
        try:
            await self._app(scope, _replaying(signed.body, receive), answer.hold)
        except Exception as error:  # noqa: BLE001 - answered here, because what answers it else stands before us
            answer = _HeldAnswer()
            await (await problems.answer_to(request, error))(scope, receive, answer.hold)
        await run_in_threadpool(self._sign, signed, answer)
        for message in answer.messages():
            await send(message)

    async def _verified(self, request: Request, token_sha256: bytes) -> _Signed:
        """The call, if it is its token's own. The token is known before the body is read."""
        runtime: Runtime = request.app.state.runtime
        headers = request.headers
        call = codes.read_call(
            headers.get("bitgo-auth-version"),
            request.method,
            _address(request.scope),
            headers.get("auth-timestamp"),
            self._clock.now(),
        )
        try:
            secret = await run_in_threadpool(service.signing_secret, runtime, token_sha256, address_of(request))
        except NotAuthenticatedError:
            visit = visit_of(request)
            if visit is not None:
                visit.refuse()
            raise
        body = await read_bytes(request, runtime.limits)
        await run_in_threadpool(codes.require_request_code, secret, call, body, headers[CODE_HEADER])
        return _Signed(secret, call, body)

    def _sign(self, signed: _Signed, answer: _HeldAnswer) -> None:
        timestamp = str(codes.timestamp_of(self._clock.now()))
        code = codes.answer_code(
            signed.secret, signed.call, timestamp=timestamp, status=answer.status, body=answer.body
        )
        answer.headers[TIMESTAMP_HEADER] = timestamp
        answer.headers[CODE_HEADER] = code


class _HeldAnswer:
    """An answer's messages, kept until it is whole."""

    def __init__(self) -> None:
        self._start: Message = {}
        self._chunks: list[bytes] = []

    async def hold(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._chunks.append(message.get("body", b""))

    @property
    def status(self) -> int:
        status: int = self._start["status"]
        return status

    @property
    def headers(self) -> MutableHeaders:
        return MutableHeaders(scope=self._start)

    @property
    def body(self) -> bytes:
        return b"".join(self._chunks)

    def messages(self) -> tuple[Message, Message]:
        return self._start, {"type": "http.response.body", "body": self.body}


def _token_sha256(scope: Scope) -> bytes | None:
    """The hash that a signed call names; None for every other request."""
    if scope["type"] != "http":
        return None
    headers = Request(scope).headers
    bearer = _HASHED_BEARER.fullmatch(headers.get("authorization", ""))
    return bytes.fromhex(bearer[1]) if bearer and CODE_HEADER in headers else None


def _address(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    address: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    return address.decode("latin-1")


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more to who stands behind us, and then what really comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
