"""Things that happen at once: threads that start together, and locks that make one wait where a test wants it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from psycopg import sql

from clearwindow.runtime import Runtime

T = TypeVar("T")

PATIENCE_SECONDS = 30
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def at_once(calls: Sequence[Callable[[], T]], threads: int = 24) -> list[T]:
    """The results of all calls, in their order; as many as there are threads start together."""
    threads = min(threads, len(calls))
    start = Barrier(threads)

    def run(number: int) -> T:
        if number < threads:
            start.wait(PATIENCE_SECONDS)
        return calls[number]()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(len(calls))))


@contextmanager
def in_background(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs the call in a thread of its own; the block ends when the call has."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


class Gate:
    """Table locks that stop whoever wants to insert, until the block ends."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @contextmanager
    def closed(self, table: str) -> Iterator[None]:
        with self._runtime.transaction() as tx:
            tx.connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(table)))
            yield

    def wait_for(self, waiting: int) -> None:
        """Returns once this many transactions wait for a lock."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self._runtime.transaction() as tx:
                if tx.scalars(int, _WAITING) == [waiting]:
                    return
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"there were never {waiting} transactions waiting for a lock")
            time.sleep(0.005)
