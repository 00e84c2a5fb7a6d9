"""The edge of the application: one layer that every request passes on its way in and every answer on its way out.

It gives the request an id, counts and times it, applies the limits of its caller, has signed calls verified, and
puts the headers that all answers have. Prometheus reads the counts at /metrics.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import psycopg
import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.api.capacity import Capacity, use_capacity
from clearwindow.api.limits import CallerLimits, caller_address
from clearwindow.api.lookups import Find
from clearwindow.api.problems import answer_to
from clearwindow.api.rates import Rates, Visit
from clearwindow.api.request import address_of, caller_in, note_head, note_request_id, note_visit
from clearwindow.console.assets import ASSETS_PATH
from clearwindow.console.error_pages import page_of
from clearwindow.console.presented import is_of_console, session_in
from clearwindow.core import tracing
from clearwindow.core.errors import RequestError
from clearwindow.core.work import Purpose, working_for
from clearwindow.identity.presented import presented_in, signer_in
from clearwindow.identity.signed_calls import SignedCalls

log = structlog.get_logger(__name__)

LIMITED_PREFIX: Final = "/api/"
"""Health, metrics and the reference are never limited: they answer just when a server is busy. A signed call there
is limited like others, because its HMAC is verified with the database. Pages of the console are limited, too; its
own files are not."""

REQUEST_ID_HEADER: Final = "X-Request-Id"
LIMIT_HEADER: Final = "RateLimit-Limit"
REMAINING_HEADER: Final = "RateLimit-Remaining"
RESET_HEADER: Final = "RateLimit-Reset"
SECURITY_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_UNMATCHED: Final = "unmatched"
_FAILED: Final = 500
_BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

requests_total: Final = Counter(
    "clearwindow_http_requests_total", "Requests that were answered.", ["method", "route", "status"]
)
request_seconds: Final = Histogram(
    "clearwindow_http_request_duration_seconds",
    "Time from a request's arrival to the end of its answer.",
    ["method", "route"],
    buckets=_BUCKETS_SECONDS,
)


@dataclass(slots=True)
class _Passage:
    """One request on its way through the edge."""

    scope: Scope
    send: Send
    request_id: str = field(default_factory=lambda: str(uuid4()))
    visit: Visit | None = None
    # An exception that leaves the edge is answered outside of it, always with this status.
    status: int = 500

    async def answer(self, message: Message) -> None:
        """Sends a message of the answer; its first message gets the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            allowance = self.visit.allowance if self.visit else None
            if allowance is not None:
                headers[LIMIT_HEADER] = str(allowance.limit)
                headers[REMAINING_HEADER] = str(allowance.remaining)
                headers[RESET_HEADER] = str(allowance.reset_seconds)
            headers[REQUEST_ID_HEADER] = self.request_id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self.send(message)


class Edge:
    """The one middleware. See the module's docstring."""

    def __init__(self, app: ASGIApp, limits: CallerLimits, capacity: Capacity, find: Find) -> None:
        self._app = _HeadAsGet(app)
        self._rates = Rates(limits, find)
        self._capacity = capacity
        self._signed_calls = SignedCalls(self._app, capacity, takes_version_2=limits.signed_version_2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send)
        note_request_id(scope, passage.request_id)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=passage.request_id), _traced(scope) as span:
            try:
                await self._admit(passage, receive)
            finally:
                _count(passage, span, time.perf_counter() - started)

    async def _admit(self, passage: _Passage, receive: Receive) -> None:
        """Hands the request on when the limits of its caller allow it."""
        scope = passage.scope
        request = Request(scope, receive)
        address = caller_address(request.client.host if request.client else None)
        is_signed = signer_in(request.headers) is not None
        use_capacity(self._capacity)
        path: str = scope["path"]
        of_console = is_of_console(path)
        if not _is_limited(path) and not is_signed:
            with working_for(f"address {address}", Purpose.READING):
                await self._app(scope, receive, passage.answer)
            return
        try:
            presented = session_in(request) if of_console else presented_in(request.headers, address_of(request))
            visit = await self._rates.enter(presented, address)
            passage.visit = visit
            note_visit(scope, visit)
            with working_for(visit.owner, Purpose.READING):
                if is_signed and not of_console:
                    await self._signed_calls(scope, receive, passage.answer)
                    return
                async with self._capacity.request(visit.owner):
                    await self._app(scope, receive, passage.answer)
        except (RequestError, psycopg.Error) as error:
            answer = await answer_to(request, error)
            await (page_of(answer) if of_console else answer)(scope, receive, passage.answer)


class _HeadAsGet:
    """Answers HEAD wherever GET works: the same status and headers, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # A copy: the server that sends the answer looks at the method, too.
        as_get = {**scope, "method": "GET"}
        note_head(as_get)
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            scope.update({name: as_get[name] for name in ("route", "path_params") if name in as_get})


def _is_limited(path: str) -> bool:
    return path.startswith(LIMITED_PREFIX) or (is_of_console(path) and not path.startswith(ASSETS_PATH))


def _traced(scope: Scope) -> AbstractContextManager[tracing.Span]:
    """Begins a trace of the request. A trace that a caller names is not continued: nobody else fills ours."""
    is_api = scope["path"].startswith(LIMITED_PREFIX)
    return tracing.span("request", tracing.Kind.SERVER) if is_api else tracing.no_span()


def _count(passage: _Passage, span: tracing.Span, seconds: float) -> None:
    """Counts, times and logs the request under its route's template, since addresses are endlessly many."""
    scope, status = passage.scope, passage.status
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = _template(scope)
    requests_total.labels(method, route, status).inc()
    request_seconds.labels(method, route).observe(seconds)
    # An address that is no route's may hold anything, and is not repeated in the log.
    path = _UNMATCHED if route == _UNMATCHED else scope["path"]
    write = log.debug if route in _QUIET_ROUTES else log.info
    took = {"status": status, "milliseconds": round(seconds * 1000, 1)}
    write("request", method=method, path=path, route=route, **took, **caller_in(scope))
    span.call(f"{method} {route}")
    span.tell({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    span.tell({"request_id": passage.request_id, **caller_in(scope)})
    if status >= _FAILED:
        span.fail(f"status {status}")


def _template(scope: Scope) -> str:
    """Returns the route's whole template. A route knows its own without the prefixes of routers that include it."""
    own: str | None = getattr(scope.get("route"), "path", None)
    if own is None:
        return _UNMATCHED
    if not all(f"{{{name}}}" in own for name in scope.get("path_params", {})):
        # The prefix has parameters too: their values must not become labels.
        return own
    prefix = scope["path"].split("/")[: -own.count("/")]
    return "/".join(prefix) + own
