"""Whether the process lives (/healthz), whether it can serve (/readyz), and its metrics. Open to anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clearwindow.database.migrations import pending_on
from clearwindow.http.wire import WireModel, json_response
from clearwindow.runtime import Runtime
from clearwindow.work.backlog import Backlog, Waiting, backlogs

log = structlog.get_logger(__name__)

PROBE_SECONDS: Final = 3.0
_PROBES_AT_ONCE: Final = 4


class Alive(WireModel):
    status: str


class PartReadiness(WireModel):
    """One part that serving needs; ``problem`` says what is wrong with it."""

    ready: bool
    problem: str | None = None


class Readiness(WireModel):
    ready: bool
    database: PartReadiness
    migrations: PartReadiness
    work: PartReadiness
    longest_overdue_work_seconds: float | None = None


def health_router(kinds: Sequence[Waiting], work_lag_limit_seconds: float) -> APIRouter:
    router = APIRouter(tags=["health"])
    # A database that hangs must not let probes pile up in threads.
    limiter = anyio.CapacityLimiter(_PROBES_AT_ONCE)

    @router.get("/healthz", summary="Whether the process answers", response_model=Alive)
    async def healthz() -> Response:
        return json_response(Alive(status="ok"))

    @router.get(
        "/readyz",
        summary="Whether the database answers, is up to date, and due work is done in time",
        response_model=Readiness,
        responses={503: {"model": Readiness}},
    )
    async def readyz(request: Request) -> Response:
        probe = partial(_probe, request.app.state.runtime, kinds, work_lag_limit_seconds)
        readiness = await _within_time(probe, limiter)
        return json_response(readiness, status=200 if readiness.ready else 503)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=_METRICS_ANSWER)
    async def metrics(request: Request) -> Response:
        read = partial(_exposition, request.app.state.runtime, kinds)
        content = await anyio.to_thread.run_sync(read, limiter=limiter)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return router


_METRICS_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


async def _within_time(probe: Callable[[], Readiness], limiter: anyio.CapacityLimiter) -> Readiness:
    with anyio.move_on_after(PROBE_SECONDS):
        return await anyio.to_thread.run_sync(probe, abandon_on_cancel=True, limiter=limiter)
    return _not_ready("database", f"the database did not answer within {PROBE_SECONDS:g} s")


def _probe(runtime: Runtime, kinds: Sequence[Waiting], work_lag_limit_seconds: float) -> Readiness:
    part = "database"
    try:
        with runtime.database.transaction(timeout_seconds=PROBE_SECONDS) as tx:
            part = "migrations"
            pending = pending_on(tx.connection)
        if pending:
            return _not_ready("migrations", f"{len(pending)} migrations are pending: run clearwindow migrate")
        part = "work"
        lag = max((each.overdue_seconds for each in backlogs(runtime, kinds).values()), default=0.0)
    except Exception as error:
        # Whatever it is: a probe answers that it is not ready, and the log says why.
        log.warning("not_ready", part=part, exc_info=error)
        return _not_ready(part, f"it cannot be asked ({type(error).__name__}); the log says why")
    if lag > work_lag_limit_seconds:
        problem = f"work is overdue by {lag:.0f} s, the limit is {work_lag_limit_seconds:g} s: is a worker running?"
        return _not_ready("work", problem, lag)
    ready = PartReadiness(ready=True)
    return Readiness(
        ready=True, database=ready, migrations=ready, work=ready, longest_overdue_work_seconds=round(lag, 3)
    )


def _not_ready(part: str, problem: str, lag: float | None = None) -> Readiness:
    """The parts before the failed one are fine; those after it cannot be known."""
    parts: dict[str, Any] = {}
    for name in ("database", "migrations", "work"):
        if name == part:
            parts[name] = PartReadiness(ready=False, problem=problem)
        elif part in parts:
            parts[name] = PartReadiness(ready=False, problem="not known")
        else:
            parts[name] = PartReadiness(ready=True)
    if lag is not None:
        parts["longest_overdue_work_seconds"] = round(lag, 3)
    return Readiness(ready=False, **parts)


def _exposition(runtime: Runtime, kinds: Sequence[Waiting]) -> bytes:
    of_runtime = CollectorRegistry()
    of_runtime.register(_RuntimeCollector(runtime, kinds))
    return generate_latest(REGISTRY) + generate_latest(of_runtime)


class _RuntimeCollector(Collector):
    """What is asked at the time of the scrape rather than counted: the backlog and the connection pool."""

    def __init__(self, runtime: Runtime, kinds: Sequence[Waiting]) -> None:
        self._runtime = runtime
        self._kinds = kinds

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            found = backlogs(self._runtime, self._kinds)
        except Exception as error:
            # The pool's numbers say the most just when the database is away.
            log.warning("backlog_unknown", exc_info=error)
        else:
            yield from _backlog_metrics(found)
        pool = GaugeMetricFamily("clearwindow_database_pool", "The connection pool's own numbers.", labels=["of"])
        for name, value in self._runtime.database.pool_stats().items():
            pool.add_metric([name], value)
        yield pool


def _backlog_metrics(found: Mapping[str, Backlog]) -> Iterator[Metric]:
    due = GaugeMetricFamily("clearwindow_work_due", "Jobs whose time has come.", labels=["kind"])
    overdue = GaugeMetricFamily(
        "clearwindow_work_overdue_seconds", "How long the first due job has been due.", labels=["kind"]
    )
    for kind, backlog in found.items():
        due.add_metric([kind], backlog.due)
        overdue.add_metric([kind], backlog.overdue_seconds)
    yield due
    yield overdue
