"""What is counted and logged of every request. Prometheus reads it at /metrics."""

from __future__ import annotations

import time
from typing import Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_UNMATCHED: Final = "unmatched"
_BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

requests_total = Counter(
    "clearwindow_http_requests_total", "Requests that were answered.", ["method", "route", "status"]
)
request_seconds = Histogram(
    "clearwindow_http_request_duration_seconds",
    "Time from a request's arrival to the end of its answer.",
    ["method", "route"],
    buckets=_BUCKETS_SECONDS,
)


class RequestMetrics:
    """Counts, times and logs each request under its route's template, of which there are only so many."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # What leaves as an exception is answered outside of us, always with this status.
        status = 500
        started = time.perf_counter()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            _note(scope, status, time.perf_counter() - started)


def _note(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = _template(scope)
    requests_total.labels(method, route, status).inc()
    request_seconds.labels(method, route).observe(seconds)
    # An address that is no route's may hold anything, and is not repeated in the log.
    path = _UNMATCHED if route == _UNMATCHED else scope["path"]
    write = log.debug if route in _QUIET_ROUTES else log.info
    write("request", method=method, path=path, route=route, status=status, milliseconds=round(seconds * 1000, 1))


def _template(scope: Scope) -> str:
    """The route's whole template. A route knows it without the prefix of the routers that include its own."""
    own: str | None = getattr(scope.get("route"), "path", None)
    if own is None:
        return _UNMATCHED
    if not all(f"{{{name}}}" in own for name in scope.get("path_params", {})):
        # The prefix has parameters too: their values must not become labels.
        return own
    prefix = scope["path"].split("/")[: -own.count("/")]
    return "/".join(prefix) + own
