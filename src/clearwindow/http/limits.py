"""The gate before every route of the API: how often one caller may ask, and how much of it is worked on at once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response
from prometheus_client import Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.errors import TooManyRequestsError
from clearwindow.http.problems import answer_of, request_id_in
from clearwindow.http.rates import Allowance, Rates, Visit, caller_address

LIMITED_PREFIX: Final = "/api/"
"""Health, metrics and the reference are never limited: they answer just when a server is busy."""

LIMIT_HEADER: Final = "RateLimit-Limit"
REMAINING_HEADER: Final = "RateLimit-Remaining"
RESET_HEADER: Final = "RateLimit-Reset"
_STATE: Final = "visit"
_MAX_WAITING: Final = 1_000
_RETRY_WHEN_BUSY_SECONDS: Final = 1

refused_total = Counter(
    "clearwindow_http_refused_total", "Requests that a limit of the edge refused, by the error's name.", ["name"]
)


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """What one caller may do; 0 is no limit."""

    requests_per_minute: int = 0
    requests_at_once: int = 0
    wait_seconds: float = 30
    clock: Callable[[], float] = time.monotonic


class Turns:
    """So many requests of one owner at once; the others wait their turn without a thread or a connection."""

    def __init__(self, at_once: int, wait_seconds: float, max_waiting: int = _MAX_WAITING) -> None:
        self._at_once = at_once
        self._wait_seconds = wait_seconds
        self._max_waiting = max_waiting
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """The block runs when it is its turn.

        Raises:
            TooManyRequestsError: it was not within the time, or too many wait already.
        """
        if self._at_once == 0:
            yield
            return
        queue = self._queues.setdefault(owner, _Queue(asyncio.Semaphore(self._at_once)))
        if queue.inside >= self._at_once + self._max_waiting:
            raise self._busy()
        queue.inside += 1
        try:
            await self._acquire(queue.semaphore)
            try:
                yield
            finally:
                queue.semaphore.release()
        finally:
            queue.inside -= 1
            if queue.inside == 0:
                del self._queues[owner]

    async def _acquire(self, semaphore: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise self._busy() from None

    def _busy(self) -> TooManyRequestsError:
        return TooManyRequestsError(
            "too_many_at_once",
            f"{self._at_once} requests of yours are being worked on and more wait: send fewer at the same time",
            {"limitAtOnce": self._at_once},
            retry_after_seconds=_RETRY_WHEN_BUSY_SECONDS,
        )


@dataclass(slots=True)
class _Queue:
    semaphore: asyncio.Semaphore
    inside: int = 0


class Gate:
    def __init__(self, app: ASGIApp, limits: CallerLimits) -> None:
        self._app = app
        self._rates = Rates(limits.requests_per_minute, limits.clock)
        self._turns = Turns(limits.requests_at_once, limits.wait_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(LIMITED_PREFIX):
            await self._app(scope, receive, send)
            return
        try:
            visit = self._rates.enter(_token_sha256(scope), caller_address((scope.get("client") or (None,))[0]))
        except TooManyRequestsError as error:
            await _refusal(error, scope)(scope, receive, send)
            return
        scope.setdefault("state", {})[_STATE] = visit

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start" and visit.allowance is not None:
                _tell(MutableHeaders(scope=message), visit.allowance)
            await send(message)

        try:
            async with self._turns.turn(visit.owner):
                await self._app(scope, receive, send_with_allowance)
        except TooManyRequestsError as error:
            await _refusal(error, scope)(scope, receive, send_with_allowance)


def visit_of(request: Request) -> Visit | None:
    """None where no gate stands before the route."""
    visit: Visit | None = request.scope.get("state", {}).get(_STATE)
    return visit


def _token_sha256(scope: Scope) -> bytes | None:
    # Of the whole header: only the guards know what is a token in it, and a count needs no more than a name.
    authorization = Headers(scope=scope).get("authorization")
    return hashlib.sha256(authorization.encode("latin-1")).digest() if authorization else None


def _refusal(error: TooManyRequestsError, scope: Scope) -> Response:
    refused_total.labels(error.name).inc()
    return answer_of(error, request_id_in(scope))


def _tell(headers: MutableHeaders, allowance: Allowance) -> None:
    headers[LIMIT_HEADER] = str(allowance.limit)
    headers[REMAINING_HEADER] = str(allowance.remaining)
    headers[RESET_HEADER] = str(allowance.reset_seconds)
