"""Concurrency: threads that start together, and locks that hold a transaction where a test wants it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

import psycopg
from psycopg import sql

from clearwindow.postgres.pool import Database
from clearwindow.runtime import Runtime
from tests.support.databases import as_superuser

T = TypeVar("T")

TIMEOUT_SECONDS = 120
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def at_once(calls: Sequence[Callable[[], T]], threads: int = 24) -> list[T]:
    """Runs all calls and returns their results in order. The first calls, one for each thread, start together."""
    threads = min(threads, len(calls))
    start = Barrier(threads)

    def run(number: int) -> T:
        if number < threads:
            start.wait(TIMEOUT_SECONDS)
        return calls[number]()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(len(calls))))


@contextmanager
def in_background(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs the call in a thread of its own. The block ends after the call."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


def until_waiting(database: Database, waiting: int) -> None:
    """Returns once this many transactions wait for a lock."""
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while True:
        with database.transaction() as tx:
            if tx.scalars(int, _WAITING) == [waiting]:
                return
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{waiting} transactions never waited for a lock at the same time")
        time.sleep(0.005)


class Gate:
    """Table locks that make inserts wait until the block ends."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @contextmanager
    def closed(self, table: str) -> Iterator[None]:
        # The application may not lock a table that it only inserts into.
        with psycopg.connect(as_superuser(self._runtime.database.dsn)) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(table)))
            yield

    def wait_for(self, waiting: int) -> None:
        """Returns once this many transactions wait for a lock."""
        until_waiting(self._runtime.database, waiting)
