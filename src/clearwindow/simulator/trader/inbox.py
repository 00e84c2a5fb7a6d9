"""A trader's webhook endpoint: takes what is genuine and new, answers at once, and leaves the work for later.

This is all that a receiver must do: bound the body, verify its own bytes, know what it has had, keep the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from clearwindow.client import WebhookEvent, WebhookVerificationError, verify_webhook
from clearwindow.sandbox.trader.faults import Fault, Faults
from clearwindow.sandbox.trader.reports import Reports
from clearwindow.sandbox.trader.tally import Tally

BODY_BYTES: Final = 1024 * 1024
_BODY_SECONDS: Final = 10
_WAITING_EVENTS: Final = 10_000
_REMEMBERED_IDS: Final = 100_000
_KEYS_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the faults take.

    Attributes:
        slow_seconds: of an answer that is slow, and still in time.
        late_seconds: of an answer that comes too late: more than the network waits.
    """

    slow_seconds: float = 2
    late_seconds: float = 20


class Inbox:
    """One trader's events, in the order in which they came in."""

    def __init__(self, name: str, faults: Faults, pace: Pace, tally: Tally, reports: Reports) -> None:
        self._name = name
        self._faults = faults
        self._pace = pace
        self._tally = tally
        self._reports = reports
        self._events: asyncio.Queue[WebhookEvent] = asyncio.Queue(_WAITING_EVENTS)
        self._seen: dict[str, None] = {}
        self._keys: Sequence[str] = ()
        self._read_keys: Callable[[], Awaitable[Sequence[str]]] | None = None
        self._keys_read_at = 0.0

    def trust(self, keys: Sequence[str], read_keys: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """Deliveries are verified with these keys from now on.

        Args:
            keys: the endpoint's secret, or its public keys.
            read_keys: reads the public keys anew; asked when a delivery is by none of those known, because
                somebody may have rotated the secret.
        """
        self._keys, self._read_keys = keys, read_keys

    async def next(self) -> WebhookEvent:
        """The next event to work on; waits for it."""
        return await self._events.get()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Answers one delivery. The size of the body is bounded by the application."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        if not self._keys:
            return _come_back()
        try:
            event = await self._verified(request, body)
        except WebhookVerificationError as error:
            self._reports.say(self._name, "refused", reason=error)
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        fault = self._faults.of_next_delivery()
        if fault is None:
            return self._take(event)
        self._tally.faults[fault] += 1
        self._reports.say(self._name, "fault", fault=fault, type=event.type, id=event.id)
        return await self._fail(fault, request, event)

    async def _verified(self, request: web.Request, body: bytes) -> WebhookEvent:
        try:
            return verify_webhook(request.headers, body, self._keys)
        except WebhookVerificationError:
            now = asyncio.get_running_loop().time()
            if self._read_keys is None or now - self._keys_read_at < _KEYS_SECONDS:
                raise
            self._keys_read_at = now
            self._keys = await self._read_keys()
            return verify_webhook(request.headers, body, self._keys)

    def _take(self, event: WebhookEvent) -> web.Response:
        duplicate = event.id in self._seen
        if not duplicate:
            try:
                self._events.put_nowait(event)
            except asyncio.QueueFull:
                return _come_back()
            self._seen[event.id] = None
            if len(self._seen) > _REMEMBERED_IDS:
                del self._seen[next(iter(self._seen))]
        self._tally.deliveries["duplicate" if duplicate else "new"] += 1
        self._reports.say(self._name, "heard", type=event.type, id=event.id, duplicate=duplicate or None)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _fail(self, fault: Fault, request: web.Request, event: WebhookEvent) -> web.StreamResponse:
        match fault:
            case Fault.SLOW:
                await asyncio.sleep(self._pace.slow_seconds)
                return self._take(event)
            case Fault.TIMEOUT_AFTER_WORK:
                answer = self._take(event)
                await asyncio.sleep(self._pace.late_seconds)
                return answer
            case Fault.ERROR_500:
                return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="told to fail")
            case _:
                _hang_up(request, b"this is no HTTP\r\n\r\n" if fault is Fault.GARBAGE else b"")
                return web.Response()


def _come_back() -> web.Response:
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})


def _hang_up(request: web.Request, last_words: bytes) -> None:
    """Ends the connection in the middle of an answer; what is answered after that goes nowhere."""
    transport = request.transport
    if transport is None:
        return
    if last_words:
        transport.write(last_words)
        transport.close()
    else:
        transport.abort()
