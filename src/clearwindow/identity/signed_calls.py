"""Calls with a v2x token: their HMAC is verified, and the answer to them has an HMAC too.

The token itself never travels: the caller sends its SHA-256 and an HMAC under it, as the field's JavaScript
SDK does. Only answers to signed calls are signed: to sign anything for others would help them to forge requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from anyio import to_thread
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.api import problems
from clearwindow.api.bodies import read_bytes
from clearwindow.api.body_limits import limits_of_body
from clearwindow.api.capacity import Capacity, in_thread
from clearwindow.api.rates import Visit
from clearwindow.api.request import address_of, note_signer, runtime_of, visit_of
from clearwindow.core.clock import Clock, SystemClock
from clearwindow.core.errors import NotAuthenticatedError
from clearwindow.core.work import Purpose, Work, working_for
from clearwindow.identity import call_codes, rules, tokens
from clearwindow.identity.models import Signer, Token
from clearwindow.identity.presented import CODE_HEADER, signer_in

T = TypeVar("T")

TIMESTAMP_HEADER: Final = "Timestamp"


@dataclass(frozen=True, slots=True)
class _Signed:
    secret: bytes
    call: call_codes.Call
    body: bytes


class SignedCalls:
    """Runs before the routes. The answer to a signed call is kept until it is complete, and then signed."""

    def __init__(self, app: ASGIApp, capacity: Capacity, *, takes_version_2: bool) -> None:
        """Wraps the application.

        Args:
            app: the application.
            capacity: the requests at once. A call takes its turn twice: among those that name its token from its
                address while it is verified, and among its owner's when it is carried out.
            takes_version_2: calls may have an HMAC of version 2.
        """
        self._app = app
        self._capacity = capacity
        self._takes_version_2 = takes_version_2
        # The caller's clock shows the real time, also if the network is a sandbox with a moved clock.
        self._clock: Clock = SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        token_sha256, visit = signer_in(request.headers), visit_of(request)
        if token_sha256 is None or visit is None:
            raise LookupError("a signed call names its token, and is counted")
        try:
            async with self._capacity.request(visit.owner):
                signed = await self._verified(request, visit, token_sha256)
            await visit.verified()
        except Exception as error:  # noqa: BLE001 - answered as the handlers would
            await (await problems.answer_to(request, error))(scope, receive, send)
            return
        note_signer(scope, token_sha256)
        answer = _HeldAnswer()
        try:
            with working_for(visit.owner, Purpose.READING):
                async with self._capacity.request(visit.owner):
                    await self._app(scope, _replaying(signed.body, receive), answer.hold)
        except Exception as error:  # noqa: BLE001 - answered here, so that the answer can be signed
            answer = _HeldAnswer()
            await (await problems.answer_to(request, error))(scope, receive, answer.hold)
        await in_thread(Work.ORDINARY, partial(self._sign, signed, answer))
        for message in answer.messages():
            await send(message)

    async def _verified(self, request: Request, visit: Visit, token_sha256: bytes) -> _Signed:
        """Returns the call if its HMAC is valid. The token is looked up before the body is read."""
        try:
            return await self._checked(request, visit, token_sha256)
        except NotAuthenticatedError:
            # If the address has used its limit, the answer is 429.
            await visit.failed()
            raise

    async def _checked(self, request: Request, visit: Visit, token_sha256: bytes) -> _Signed:
        runtime = runtime_of(request)
        headers = request.headers
        version = call_codes.read_version(
            headers.get("bitgo-auth-version"), request.method, takes_version_2=self._takes_version_2
        )
        call = call_codes.read_call(
            version,
            request.method,
            _address(request.scope),
            headers.get("auth-timestamp"),
            self._clock.now(),
        )
        try:
            signer: Signer = await _in_thread_of(
                visit, partial(tokens.find_signer, runtime, token_sha256, address_of(request))
            )
        except NotAuthenticatedError:
            visit.forget()
            raise
        body = await read_bytes(request, _body_size(request, signer.token), runtime.limits.body_seconds)
        check = partial(call_codes.require_request_code, signer.secret, call, body, headers[CODE_HEADER])
        await _in_thread_of(visit, check)
        return _Signed(signer.secret, call, body)

    def _sign(self, signed: _Signed, answer: _HeldAnswer) -> None:
        timestamp = str(call_codes.timestamp_of(self._clock.now()))
        code = call_codes.answer_code(
            signed.secret, signed.call, timestamp=timestamp, status=answer.status, body=answer.body
        )
        answer.headers[TIMESTAMP_HEADER] = timestamp
        answer.headers[CODE_HEADER] = code


class _HeldAnswer:
    """The messages of an answer, kept until it is complete."""

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


async def _in_thread_of(visit: Visit, function: Callable[[], T]) -> T:
    """Runs a check of the call, in the one thread for addresses over their limit if it comes from one."""
    if visit.narrow is not None:
        return await to_thread.run_sync(function, limiter=visit.narrow)
    return await in_thread(Work.ORDINARY, function)


def _body_size(request: Request, token: Token) -> int:
    """Returns how many bytes are read to verify the code: many only for a call that the token may make."""
    limits = runtime_of(request).limits
    if rules.has_permission(token, rules.needed_scopes(request.method)):
        return limits_of_body(request.method, request.url.path, limits).size
    return limits.body_bytes


def _address(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    address: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    return address.decode("latin-1")


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Returns a ``receive`` that first repeats the body that was read, and then what comes next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
