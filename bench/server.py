"""The measured server: the product behind uvicorn, in a process of its own, with timers around it.

The timers are added from here, so that the product carries none. Beside the product's routes the server has two of
its own: one runs a settlement's next step in this process, as the worker would, and one returns the times.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Final, ParamSpec, TypeVar
from uuid import UUID

import structlog
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from clearwindow.api import routing
from clearwindow.custody import signatures
from clearwindow.runtime import Runtime
from clearwindow.settlements import staging
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.settlements.models import DueSettlement
from clearwindow.web.app import create_app
from clearwindow.web.routers import ROUTERS
from tests.support.asgi import listening
from tests.support.runtimes import open_runtime

P = ParamSpec("P")
T = TypeVar("T")

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
spent_seconds: Final[dict[str, float]] = {}


def _timed(part: str, work: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(work)
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        start = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            spent_seconds[part] = time.perf_counter() - start

    return timed


def _timed_async(part: str, work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(work)
    async def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        start = time.perf_counter()
        try:
            return await work(*args, **kwargs)
        finally:
            spent_seconds[part] = time.perf_counter() - start

    return timed


def _put_timers() -> None:
    def put(module: ModuleType, name: str, part: str, wrap: Callable[[str, Callable[..., T]], object]) -> None:
        setattr(module, name, wrap(part, getattr(module, name)))

    put(routing, "read_bytes", "read", _timed_async)
    put(routing, "_parsed", "parse", _timed_async)
    put(signatures, "verify_with", "verify", _timed)
    put(staging, "stage_settlement", "transaction", _timed)


def _bench_routes(runtime: Runtime) -> APIRouter:
    router = APIRouter(prefix="/bench")
    work = SettlementWork()

    @router.get("/spent")
    async def spent() -> dict[str, float]:
        return spent_seconds

    @router.post("/advance/{partner_id}/{settlement_id}")
    async def advance(partner_id: UUID, settlement_id: UUID) -> float:
        due = DueSettlement(settlement_id, partner_id)
        start = time.perf_counter()
        if not await run_in_threadpool(work.perform, runtime, due):
            raise RuntimeError("another process has locked the partner")
        return time.perf_counter() - start

    return router


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--dsn", required=True)
    arguments.add_argument("--json", action="store_true", help="The address is always written as JSON.")
    given = arguments.parse_args()
    # Before any thread starts: all threads inherit it, so that this one alone takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    _put_timers()
    # One log line per request would take time from what is measured.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with (
        open_runtime(given.dsn) as runtime,
        listening(create_app(runtime, (*ROUTERS, _bench_routes(runtime)))) as address,
    ):
        print(json.dumps({"address": address}), flush=True)  # noqa: T201 - read by whoever started this
        signal.sigwait(STOP_SIGNALS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
