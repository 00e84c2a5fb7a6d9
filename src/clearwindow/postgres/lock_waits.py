"""Bounds how many connections wait for locks at the same time.

A statement that has no answer after a moment asks the database whether it waits for a lock. If so, it soon needs a
place among those that may wait. If there is none, it is cancelled, so that its connection serves others. This
covers every lock, also those that an INSERT or a foreign key waits for, and costs nothing where nobody waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection, errors

from clearwindow.core.places import Places, Ticket
from clearwindow.postgres.address import APPLICATION_NAME, address
from clearwindow.postgres.liveness import Impatient

T = TypeVar("T")

PATIENCE_SECONDS: Final = 0.7
"""A shorter wait for a lock needs no place, while there is one: locks of requests are mostly held for less."""
FIRST_LOOK_SECONDS: Final = 0.2
"""After so long it ends if there is no place, so that others get its connection soon."""
_OBSERVER_SUFFIX: Final = " (lock waits)"
_OBSERVER_SECONDS: Final = 2
_WAITS_FOR_LOCK: Final = "SELECT wait_event_type = 'Lock' FROM pg_stat_get_activity(%s)"


class NoLockPlaceError(errors.LockNotAvailable):
    """Too many connections wait for locks already, so that this one did not."""


class Observer:
    """Asks, over a connection of its own, which sessions wait for a lock. Any thread may call it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._connection: Connection[Any] | None = None

    def waits_for_lock(self, backend_pid: int) -> bool:
        """Returns False if it cannot be asked: then the wait ends after the lock timeout."""
        if not self._lock.acquire(timeout=_OBSERVER_SECONDS):
            return False
        try:
            row = self._opened().execute(_WAITS_FOR_LOCK, [backend_pid]).fetchone()
        except psycopg.Error:
            self._drop()
            return False
        finally:
            self._lock.release()
        return bool(row and row[0])

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _opened(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = Impatient.connect(
                address(self._dsn),
                autocommit=True,
                prepare_threshold=None,
                application_name=f"{APPLICATION_NAME}{_OBSERVER_SUFFIX}",
            )
            self._connection.execute(f"SET statement_timeout = '{_OBSERVER_SECONDS}s'")
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class LockWatch:
    """Watches the statements of one transaction."""

    def __init__(
        self,
        places: Places,
        holder: str | None,
        waits_for_lock: Callable[[], bool],
        cancel: Callable[[], None],
    ) -> None:
        self._places = places
        self._holder = holder
        self._waits_for_lock = waits_for_lock
        self._cancel = cancel

    def watched(self, statement: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Runs the statement of psycopg, and looks at it each time its driver wakes up without an answer."""
        began = time.monotonic()
        look_at = began + FIRST_LOOK_SECONDS
        place: Ticket | None = None
        cancelled = False
        try:
            wanted = next(statement)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if not ready and place is None and not cancelled and now >= look_at:
                    if not self._waits_for_lock():
                        look_at = now + PATIENCE_SECONDS
                    elif now >= began + PATIENCE_SECONDS or self._places.missing(self._holder) is not None:
                        place = self._places.try_enter(self._holder)
                        cancelled = place is None
                        if cancelled:
                            self._cancel()
                wanted = statement.send(ready)
        except StopIteration as ended:
            result: T = ended.value
            return result
        except errors.QueryCanceled as error:
            if not cancelled:
                raise
            raise NoLockPlaceError("too many transactions wait for locks already") from error
        finally:
            if place is not None:
                self._places.leave(place)
