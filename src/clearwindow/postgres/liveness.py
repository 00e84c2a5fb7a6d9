"""Ends statements that wait for a server which no longer answers. Protocol §2.

A server that is frozen, or behind a network that drops packets, closes nothing: its sessions would wait until the
system gives the connection up. So a statement without an answer asks, after a moment, whether its server still
takes connections. If not, the session is closed, and its statement fails like any whose connection was cut off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection, errors
from psycopg.conninfo import make_conninfo

from clearwindow.postgres.address import APPLICATION_NAME, STATEMENT_TIMEOUT_SECONDS, address, own_options

T = TypeVar("T")

SILENT_SECONDS: Final = 1.0
"""For so long a statement waits before it asks, and again between two questions. Answers are shared for as long."""
PROBE_SECONDS: Final = 2
"""How long a server may take to greet a new connection."""
_GRACE_SECONDS: Final = 10
"""So much longer than the server's own limit a statement is waited for."""
_SUFFIX: Final = " (liveness)"
_NOBODY_THERE: Final = (
    "refused",
    "No such file",
    "timeout expired",
    "timed out",
    "No route to host",
    "is unreachable",
    "is down",
)
"""What libpq, which speaks English, says if no server greets. A server that says no is alive."""

Place = tuple[str, str, int]
"""Where a server is: its host as the address has it, its IP address if known, its port."""


class SilentServerError(psycopg.OperationalError):
    """The server gives no answer, and takes no connection."""


def place_of(session: Connection[Any]) -> Place:
    info = session.info
    return info.host, info.hostaddr, info.port


class Liveness:
    """Knows which servers of an address answer. Any thread may ask it."""

    def __init__(self, dsn: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._dsn = dsn
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asking: dict[Place, threading.Lock] = {}
        self._silent: dict[Place, tuple[float, bool]] = {}
        is_limited = "statement_timeout" not in own_options(dsn)
        self._longest_seconds = STATEMENT_TIMEOUT_SECONDS + _GRACE_SECONDS if is_limited else float("inf")

    def watched(self, session: Connection[Any], statement: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Runs the statement of psycopg, and looks at its server each time its driver wakes up without an answer.

        Raises:
            SilentServerError: the server no longer answers. The session is closed.
        """
        began = self._monotonic()
        ask_at = began + SILENT_SECONDS
        try:
            wanted = next(statement)
            while True:
                ready = yield wanted
                if not ready and self._monotonic() >= ask_at:
                    if self._monotonic() - began > self._longest_seconds or self.is_silent(place_of(session)):
                        session.close()
                        raise SilentServerError("the database server no longer answers")
                    ask_at = self._monotonic() + SILENT_SECONDS
                wanted = statement.send(ready)
        except StopIteration as ended:
            result: T = ended.value
            return result

    def is_silent(self, place: Place) -> bool:
        """Returns whether the server greets no new connection. One thread asks; the others wait for its answer."""
        with self._lock:
            asking = self._asking.setdefault(place, threading.Lock())
        with asking:
            known = self.is_known_silent(place)
            if known is None:
                known = not self._greets(place)
                self._silent[place] = (self._monotonic(), known)
        return known

    def is_known_silent(self, place: Place) -> bool | None:
        """Returns what was found a moment ago, None if nobody asked."""
        at, silent = self._silent.get(place, (float("-inf"), False))
        return silent if self._monotonic() - at < SILENT_SECONDS else None

    def _greets(self, place: Place) -> bool:
        host, host_address, port = place
        dsn = make_conninfo(
            address(self._dsn),
            host=host,
            # A name may have several addresses, and the session is at one of them.
            hostaddr=host_address or None,
            port=port,
            target_session_attrs="any",
            connect_timeout=PROBE_SECONDS,
            application_name=f"{APPLICATION_NAME}{_SUFFIX}",
        )
        try:
            psycopg.connect(dsn).close()
        except errors.ConnectionTimeout:
            return False
        except psycopg.Error as error:
            return not any(sign in str(error) for sign in _NOBODY_THERE)
        return True


class Impatient(Connection[Any]):
    """A connection whose every statement must be answered within seconds."""

    answer_seconds: Final = PROBE_SECONDS

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        return super().wait(self._limited(gen), interval, timeout)

    def _limited(self, statement: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        give_up_at = time.monotonic() + self.answer_seconds
        try:
            wanted = next(statement)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() >= give_up_at:
                    self.close()
                    raise SilentServerError("the database server gave no answer in time")
                wanted = statement.send(ready)
        except StopIteration as ended:
            result: T = ended.value
            return result
