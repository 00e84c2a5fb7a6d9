"""The server under measurement: the product behind uvicorn, in a process of its own, with timers put around it.

The timers are put on from here, so that the product carries none. Beside the product's routes the server has two
of its own: one runs a settlement's next step as the worker would, in this same process, and one tells the times.
"""

from __future__ import annotations

import argparse
import functools
import logging
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Final, ParamSpec, TypeVar
from uuid import UUID

import structlog
import uvicorn
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from clearwindow.clock import SystemClock
from clearwindow.database.pool import Database
from clearwindow.http.app import create_app
from clearwindow.ids import RandomIds
from clearwindow.routers import ROUTERS
from clearwindow.runtime import Limits, Runtime
from clearwindow.settlements import routes, staging
from clearwindow.settlements.due import SettlementWork
from clearwindow.settlements.values import DueSettlement
from clearwindow.signing import service as signing
from clearwindow.vault import KEY_BYTES, Vault

P = ParamSpec("P")
T = TypeVar("T")

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

    put(routes, "read_body", "decode", _timed_async)
    put(signing, "verify", "verify", _timed)
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
            raise RuntimeError("somebody else has the partner")
        return time.perf_counter() - start

    return router


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--dsn", required=True)
    arguments.add_argument("--socket", type=int, required=True)
    given = arguments.parse_args()
    _put_timers()
    clock = SystemClock()
    database = Database(given.dsn, clock)
    database.open()
    runtime = Runtime(database, clock, RandomIds(), Limits(), Vault(bytes(KEY_BYTES)))
    app = create_app(runtime, (*ROUTERS, _bench_routes(runtime)))
    # A line a request would run through what the benchmark prints.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=given.socket)])
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
