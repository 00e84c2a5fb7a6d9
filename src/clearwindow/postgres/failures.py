"""What is wrong with the database when a statement or a connection fails, and for whom it matters. Protocol §2.

A failure of the database is no failure of the request or the job that met it: the same may be tried again later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
import structlog
from psycopg import errors
from psycopg_pool import PoolTimeout

log = structlog.get_logger(__name__)

QUIET_SECONDS: Final = 60.0
"""One line a minute says that the database has a failure of one kind, however many requests meet it."""


class Failure(StrEnum):
    """What the database cannot do. The value is for the log."""

    AWAY = "away"
    READ_ONLY = "read_only"
    FULL = "full"
    NO_CAPACITY = "no_capacity"
    HELD_UP = "held_up"
    CUT_OFF = "cut_off"
    OUTCOME_UNKNOWN = "outcome_unknown"

    @property
    def of_database(self) -> bool:
        """Whether whatever is tried now would fail, so that it is no failure of one job."""
        return self in _OF_DATABASE


_OF_DATABASE: Final = frozenset({Failure.AWAY, Failure.READ_ONLY, Failure.FULL, Failure.NO_CAPACITY})

PROBLEMS: Final = {
    Failure.AWAY: "the database cannot be reached",
    Failure.READ_ONLY: "the database is read-only: it is a standby, or writing is turned off",
    Failure.FULL: "the database cannot write: its disk is full",
    Failure.NO_CAPACITY: "the database has no connection free",
    Failure.HELD_UP: "the database did not get a lock, or did not end a statement, in time",
    Failure.CUT_OFF: "the connection to the database was cut off",
    Failure.OUTCOME_UNKNOWN: "the connection to the database was cut off during a commit",
}
"""What each is, without a word of what the server or the network said."""


class NoConnectionError(PoolTimeout):
    """The pool gave no connection in time. ``failure`` says why."""

    def __init__(self, failure: Failure, said: str) -> None:
        super().__init__(said)
        self.failure = failure


class CommitCutOffError(psycopg.OperationalError):
    """The connection broke during the commit: it may have been carried out, or not."""


_BY_CLASS: Final[tuple[tuple[type[psycopg.Error], Failure], ...]] = (
    (PoolTimeout, Failure.NO_CAPACITY),
    (CommitCutOffError, Failure.OUTCOME_UNKNOWN),
    (errors.ReadOnlySqlTransaction, Failure.READ_ONLY),
    (errors.DiskFull, Failure.FULL),
    (errors.TooManyConnections, Failure.NO_CAPACITY),
    (errors.OutOfMemory, Failure.NO_CAPACITY),
    (errors.ConfigurationLimitExceeded, Failure.NO_CAPACITY),
    (errors.CannotConnectNow, Failure.AWAY),
    (errors.AdminShutdown, Failure.CUT_OFF),
    (errors.CrashShutdown, Failure.CUT_OFF),
    (errors.IdleInTransactionSessionTimeout, Failure.CUT_OFF),
    (errors.DeadlockDetected, Failure.HELD_UP),
    (errors.SerializationFailure, Failure.HELD_UP),
    (errors.QueryCanceled, Failure.HELD_UP),
    (errors.LockNotAvailable, Failure.HELD_UP),
)
_AWAY_SQLSTATES: Final = ("08", "58")
"""Connection exceptions, and errors of the system under the server, such as a library that it cannot load."""


def failure_of(error: BaseException) -> Failure | None:
    """Returns what is wrong with the database, or None if the error is about something else."""
    if isinstance(error, NoConnectionError):
        return error.failure
    if not isinstance(error, psycopg.Error):
        return None
    known = next((failure for kind, failure in _BY_CLASS if isinstance(error, kind)), None)
    if known is None and (error.sqlstate or "").startswith(_AWAY_SQLSTATES):
        return Failure.AWAY
    if known is None and isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        # psycopg's own: the connection is broken, and the server could not say anything more.
        return Failure.CUT_OFF
    return known


def failure_to_connect(said: str) -> Failure:
    """Returns what the failed try to connect means. The library and the server say it in words only."""
    if "read-only" in said or "hot standby" in said:
        return Failure.READ_ONLY
    if "too many clients" in said or "connection slots" in said or "too many connections" in said:
        return Failure.NO_CAPACITY
    return Failure.AWAY


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


@dataclass(slots=True)
class _Told:
    at_seconds: float
    left_out: int = 0


class FailureLog:
    """Tells of each kind of failure once a minute, and when all is well again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told: dict[Failure, _Told] = {}
        self.is_failing = False

    def tell(self, failure: Failure, error: BaseException, during: str) -> None:
        """Writes one line, unless one of the same kind was written within the last minute."""
        now = self._monotonic()
        with self._lock:
            self.is_failing = self.is_failing or isinstance(error, NoConnectionError)
            told = self._told.get(failure)
            if told is not None and now - told.at_seconds < QUIET_SECONDS:
                told.left_out += 1
                return
            self._told[failure] = _Told(now)
        log.error(
            "database_failure",
            failure=str(failure),
            message=PROBLEMS[failure],
            said=first_line(error),
            during=during,
            left_out_since_last_line=told.left_out if told else 0,
        )

    def is_well(self) -> None:
        """Notes that there are connections."""
        with self._lock:
            if not self.is_failing:
                return
            self.is_failing = False
        log.warning("database_back", message="the database gives connections again")
