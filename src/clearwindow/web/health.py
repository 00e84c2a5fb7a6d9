"""Whether the process runs (/healthz), whether it can serve (/readyz), and its metrics. Open to anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clearwindow.api.capacity import Capacity
from clearwindow.api.request import runtime_of
from clearwindow.api.routing import json_response, operation_id
from clearwindow.api.schema import WireModel
from clearwindow.core.places import Use
from clearwindow.core.work import Purpose, working_for
from clearwindow.identity.opening import find_opening, is_alone, mode_of
from clearwindow.jobs.backlog import Backlog, Waiting, backlogs
from clearwindow.pauses import service as pauses
from clearwindow.pauses.models import PauseKind
from clearwindow.postgres.failures import PROBLEMS
from clearwindow.postgres.migrations import pending_on
from clearwindow.runtime import Runtime
from clearwindow.web.network_metrics import network_metrics

log = structlog.get_logger(__name__)

PROBE_SECONDS: Final = 3.0
_PROBES_AT_ONCE: Final = 4


class Alive(WireModel):
    status: str


class PartReadiness(WireModel):
    """One part that the server needs. ``problem`` says what is wrong with it."""

    ready: bool
    problem: str | None = None


class NetworkKind(WireModel):
    """A sandbox, not opened yet, or opened in earnest; and whether one person runs it alone."""

    mode: str
    single_operator: bool


class Readiness(WireModel):
    ready: bool
    network: NetworkKind | None = None
    database: PartReadiness
    migrations: PartReadiness
    work: PartReadiness
    longest_overdue_work_seconds: float | None = None


def health_router(kinds: Sequence[Waiting], work_lag_limit_seconds: float) -> APIRouter:
    router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)
    # If the database hangs, probes must not fill up the threads.
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
        probe = partial(_probe, runtime_of(request), kinds, work_lag_limit_seconds)
        readiness = await _within_time(probe, limiter)
        return json_response(readiness, status=200 if readiness.ready else 503)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=_METRICS_ANSWER)
    async def metrics(request: Request) -> Response:
        read = partial(_exposition, runtime_of(request), kinds, request.app.state.capacity)
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
    with working_for(None, Purpose.PROBING):
        return _found(runtime, kinds, work_lag_limit_seconds)


def _found(runtime: Runtime, kinds: Sequence[Waiting], work_lag_limit_seconds: float) -> Readiness:
    part = "database"
    try:
        failure = runtime.database.failure_now()
        if failure is not None:
            return _not_ready("database", PROBLEMS[failure])
        with runtime.transaction() as tx:
            part = "migrations"
            pending = pending_on(tx.connection)
        if pending:
            return _not_ready("migrations", f"{len(pending)} migrations are pending: run clearwindow migrate")
        opened = find_opening(runtime)
        part = "work"
        lag = max((each.overdue_seconds for each in backlogs(runtime, kinds).values()), default=0.0)
    except Exception as error:
        # On any error the probe answers that the part is not ready, and the log says why.
        if not runtime.database.tell(error, "readiness"):
            log.warning("not_ready", part=part, exc_info=error)
        return _not_ready(part, f"it cannot be asked ({type(error).__name__}); the log says why")
    if lag > work_lag_limit_seconds:
        problem = f"work is overdue by {lag:.0f} s, the limit is {work_lag_limit_seconds:g} s: is a worker running?"
        return _not_ready("work", problem, lag)
    ready = PartReadiness(ready=True)
    return Readiness(
        ready=True,
        network=NetworkKind(mode=mode_of(runtime, opened), single_operator=is_alone(opened)),
        database=ready,
        migrations=ready,
        work=ready,
        longest_overdue_work_seconds=round(lag, 3),
    )


def _not_ready(part: str, problem: str, lag: float | None = None) -> Readiness:
    """The parts before the failed one are ready. The parts after it are unknown."""
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


def _exposition(runtime: Runtime, kinds: Sequence[Waiting], capacity: Capacity) -> bytes:
    of_runtime = CollectorRegistry()
    of_runtime.register(_RuntimeCollector(runtime, kinds, capacity))
    with working_for(None, Purpose.PROBING):
        return generate_latest(REGISTRY) + generate_latest(of_runtime)


class _RuntimeCollector(Collector):
    """The backlog, the connection pool and all capacity, read at the time of the scrape."""

    def __init__(self, runtime: Runtime, kinds: Sequence[Waiting], capacity: Capacity) -> None:
        self._runtime = runtime
        self._kinds = kinds
        self._capacity = capacity

    def describe(self) -> list[Metric]:
        """Returns nothing, because registering must not query the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            found = backlogs(self._runtime, self._kinds)
            standing = pauses.standing_counts(self._runtime)
            of_network = network_metrics(self._runtime)
        except Exception as error:
            # The pool's numbers are most useful when the database is away.
            if not self._runtime.database.tell(error, "metrics"):
                log.warning("backlog_unknown", exc_info=error)
        else:
            yield from _backlog_metrics(found)
            yield _pause_metric(standing)
            yield from of_network
        pool = GaugeMetricFamily("clearwindow_database_pool", "The connection pool's own numbers.", labels=["of"])
        for name, value in self._runtime.database.pool_stats().items():
            pool.add_metric([name], value)
        yield pool
        yield from _capacity_metrics(
            self._capacity.uses() | self._runtime.database.uses() | self._runtime.outgoing.uses()
        )


def _pause_metric(standing: Mapping[PauseKind, int]) -> Metric:
    metric = GaugeMetricFamily(
        "clearwindow_pauses", "Pauses that stand. Work that they stop waits.", labels=["kind"]
    )
    for kind in PauseKind:
        metric.add_metric([kind.value], standing.get(kind, 0))
    return metric


def _capacity_metrics(uses: Mapping[str, Use]) -> Iterator[Metric]:
    gauges = {
        name: GaugeMetricFamily(f"clearwindow_capacity_{name}", text, labels=["class"])
        for name, text in (
            ("size", "How many places a class of work has."),
            ("in_use", "How many of them are taken."),
            ("waiting", "How many wait for one."),
        )
    }
    refused = CounterMetricFamily(
        "clearwindow_capacity_refused", "How often there was no place, since the process started.", labels=["class"]
    )
    for of, use in uses.items():
        gauges["size"].add_metric([of], use.size)
        gauges["in_use"].add_metric([of], use.in_use)
        gauges["waiting"].add_metric([of], use.waiting)
        refused.add_metric([of], use.refused)
    yield from gauges.values()
    yield refused


def _backlog_metrics(found: Mapping[str, Backlog]) -> Iterator[Metric]:
    due = GaugeMetricFamily("clearwindow_work_due", "Jobs that are due.", labels=["kind"])
    overdue = GaugeMetricFamily(
        "clearwindow_work_overdue_seconds", "How long the oldest due job has been due.", labels=["kind"]
    )
    for kind, backlog in found.items():
        due.add_metric([kind], backlog.due)
        overdue.add_metric([kind], backlog.overdue_seconds)
    yield due
    yield overdue
