"""A trader's webhook endpoint: it accepts genuine new events, answers at once, and queues the events.

A receiver must limit the size of the body, verify the exact bytes, drop duplicates and keep the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from clearwindow.client import WebhookEvent, WebhookVerificationError, verify_webhook
from clearwindow.simulator.trader.faults import Fault, Faults
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.tally import Tally

BODY_BYTES: Final = 1024 * 1024
_BODY_SECONDS: Final = 10
_WAITING_EVENTS: Final = 10_000
_REMEMBERED_IDS: Final = 100_000
_KEYS_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class FaultDurations:
    """The durations of faults.

    Attributes:
        slow_seconds: the delay of a slow answer that is still in time.
        late_seconds: the delay of an answer that comes too late: more than the network waits.
    """

    slow_seconds: float = 2
    late_seconds: float = 20


class Inbox:
    """One trader's events, in the order of their arrival."""

    def __init__(
        self, name: str, faults: Faults, fault_durations: FaultDurations, tally: Tally, reports: Reports
    ) -> None:
        self._name = name
        self._faults = faults
        self._fault_durations = fault_durations
        self._tally = tally
        self._reports = reports
        self._events: asyncio.Queue[WebhookEvent] = asyncio.Queue(_WAITING_EVENTS)
        self._seen: dict[str, None] = {}
        self._keys: Sequence[str] = ()
        self._read_keys: Callable[[], Awaitable[Sequence[str]]] | None = None
        self._keys_read_at = 0.0

    def set_keys(self, keys: Sequence[str], read_keys: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """Sets the keys that verify deliveries from now on.

        Args:
            keys: the endpoint's secret, or its public keys.
            read_keys: reads the public keys again. It is called when no known key verifies a delivery, because
                the secret may have been rotated.
        """
        self._keys, self._read_keys = keys, read_keys

    async def next(self) -> WebhookEvent:
        """Waits for the next event and returns it."""
        return await self._events.get()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Answers one delivery. The web application limits the size of the body."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        if not self._keys:
            return _retry_later()
        try:
            event = await self._verified(request, body)
        except WebhookVerificationError as error:
            self._reports.report(self._name, "refused", reason=error)
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        fault = self._faults.of_next_delivery()
        if fault is None:
            return self._take(event)
        self._tally.faults[fault] += 1
        self._reports.report(self._name, "fault", fault=fault, type=event.type, id=event.id)
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
                return _retry_later()
            self._seen[event.id] = None
            if len(self._seen) > _REMEMBERED_IDS:
                del self._seen[next(iter(self._seen))]
        self._tally.deliveries["duplicate" if duplicate else "new"] += 1
        self._reports.report(self._name, "heard", type=event.type, id=event.id, duplicate=duplicate or None)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _fail(self, fault: Fault, request: web.Request, event: WebhookEvent) -> web.StreamResponse:
        match fault:
            case Fault.SLOW:
                await asyncio.sleep(self._fault_durations.slow_seconds)
                return self._take(event)
            case Fault.TIMEOUT_AFTER_WORK:
                answer = self._take(event)
                await asyncio.sleep(self._fault_durations.late_seconds)
                return answer
            case Fault.ERROR_500:
                return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="an injected fault")
            case _:
                _break_connection(request, b"this is no HTTP\r\n\r\n" if fault is Fault.GARBAGE else b"")
                return web.Response()


def _retry_later() -> web.Response:
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})


def _break_connection(request: web.Request, last_words: bytes) -> None:
    """Breaks the HTTP connection; an answer after that is lost."""
    transport = request.transport
    if transport is None:
        return
    if last_words:
        transport.write(last_words)
        transport.close()
    else:
        transport.abort()
