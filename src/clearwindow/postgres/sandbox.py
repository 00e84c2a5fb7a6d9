"""The mark of a sandbox in its database, and the clock that all processes of a sandbox share.

A database without the mark keeps its server's time, and nothing empties it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import class_row

from clearwindow.core.clock import Clock, SystemClock
from clearwindow.postgres.address import APPLICATION_NAME, STARTING_SUFFIX, connected
from clearwindow.postgres.database_clock import DatabaseClock

_LOCK_KEY: Final = 0x636C6F636B  # "clock" as a number: any constant that nobody else uses
_MILLISECOND: Final = timedelta(milliseconds=1)

_FIND: Final = "SELECT resets, clock_offset_milliseconds, clock_target FROM sandbox"
_IS_KNOWN: Final = "SELECT to_regclass('sandbox') IS NOT NULL"
_HOLDS_ENTERPRISES: Final = "SELECT EXISTS (SELECT FROM enterprise)"
_IS_OPENED: Final = "SELECT EXISTS (SELECT FROM opening)"
_IS_IN_USE: Final = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = %s)"
)
_TAKE_CLOCK: Final = "SELECT pg_try_advisory_xact_lock(%s)"
_WAIT_LONG: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"
_MARK: Final = "SELECT mark_sandbox()"
"""A function of the database, which runs as the owner of the tables. It refuses a database that holds enterprises,
and one that was opened in earnest."""
_HOLDS_A_NETWORK: Final = (
    "The database holds enterprises and is no sandbox: CLEARWINDOW_SANDBOX=1 needs an empty database, so that the"
    " clock of a real network is never moved. Use another data folder or database, or unset it."
)
_OPENED: Final = (
    "The network of this database was opened in earnest, and never becomes a sandbox: unset CLEARWINDOW_SANDBOX, or"
    " use another data folder or database."
)
_MOVE: Final = "UPDATE sandbox SET clock_offset_milliseconds = greatest(clock_offset_milliseconds, %s)"
_SET_TARGET: Final = "UPDATE sandbox SET clock_target = %s"
_RESET: Final = "UPDATE sandbox SET resets = resets + 1, clock_offset_milliseconds = 0, clock_target = NULL"


class SandboxError(RuntimeError):
    """A database is a sandbox and must not be, or is none and must be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """The state of a sandbox's clock. The later of two states has more resets, or else a greater offset."""

    resets: int
    clock_offset_milliseconds: int
    clock_target: datetime | None

    @property
    def order(self) -> tuple[int, int]:
        return self.resets, self.clock_offset_milliseconds


class SharedClock:
    """Real time plus the offset by which the sandbox was moved. It goes back only when the sandbox is reset.

    The offset is read whenever a connection is taken from the pool; this also shows that the connection works. So
    every transaction that begins after a move was committed sees the new time.
    """

    def __init__(self, wall: Clock | None = None) -> None:
        self.wall: Clock = wall or SystemClock()
        self._lock = threading.Lock()
        self._state = SandboxState(0, 0, None)

    @property
    def offset(self) -> timedelta:
        """Returns how far it is ahead of real time, as far as this process knows."""
        return self._state.clock_offset_milliseconds * _MILLISECOND

    def now(self) -> datetime:
        return self.wall.now() + self.offset

    def catch_up(self, connection: Connection[Any]) -> SandboxState:
        """Reads the state of the clock from the database."""
        with connection.cursor(row_factory=class_row(SandboxState)) as cursor:
            state = cursor.execute(_FIND).fetchone()
        if state is None:
            raise LookupError("the mark of a sandbox is missing, although it is never removed")
        with self._lock:
            # Of two threads that read at the same time, the one that read first may come here last.
            if state.order > self._state.order:
                self._state = state
        return state

    def check_connection(self, connection: Connection[Any]) -> None:
        """Checks a connection of the pool before it is used."""
        connection.autocommit = True
        try:
            self.catch_up(connection)
        finally:
            connection.autocommit = False

    def within(self, connection: Connection[Any]) -> Clock:
        """Returns the clock of a transaction, which reads the offset again each time.

        So it is never behind a transaction that held the same locks before.
        """
        return _ClockWithin(self, connection)

    def move(self, connection: Connection[Any], moment: datetime) -> None:
        """Moves the clock forward to the moment, never back. Transactions that begin after the commit see it."""
        # Rounded up, so that the moment has come.
        offset_milliseconds = -((self.wall.now() - moment) // _MILLISECOND)
        connection.execute(_MOVE, [offset_milliseconds])


@dataclass(frozen=True, slots=True)
class _ClockWithin:
    shared: SharedClock
    connection: Connection[Any]

    def now(self) -> datetime:
        self.shared.catch_up(self.connection)
        return self.shared.now()


def record_target(connection: Connection[Any], target: datetime) -> None:
    """Records the target of a move."""
    connection.execute(_SET_TARGET, [target])


def reset_clock(connection: Connection[Any]) -> None:
    """Sets the clock back to real time, in the transaction that empties the database.

    Raises:
        LookupError: the database is no sandbox, and the transaction must not commit.
    """
    if connection.execute(_RESET).rowcount != 1:
        raise LookupError("only a database that is marked as a sandbox may be emptied")


def clock_of(dsn: str, *, sandbox: bool | None) -> Clock:
    """Returns the clock of this database.

    Args:
        dsn: the database, migrated.
        sandbox: True marks the database as a sandbox if it is none yet; False takes no sandbox; None takes both.

    Raises:
        SandboxError: the database is a sandbox and must not be, or cannot become one.
    """
    with connected(dsn) as connection:
        marked = _is_marked(connection)
        if sandbox and not marked:
            _mark(connection)
            marked = True
    if marked and sandbox is False:
        raise SandboxError(
            "The database is a sandbox, and its clock may be ahead of real time: set CLEARWINDOW_SANDBOX=1 to use"
            " it, or use another database."
        )
    return SharedClock() if marked else DatabaseClock()


@contextmanager
def holding_clock(dsn: str) -> Iterator[bool]:
    """Yields whether the block has the clock to itself, so that no other process moves it.

    The lock belongs to a transaction on a connection of its own: if the process dies, the lock ends with it. A lock
    of the session would stay behind in a pooler that gives each transaction another session.
    """
    with connected(dsn) as connection:
        connection.execute(_WAIT_LONG)
        try:
            yield _is_true(connection, _TAKE_CLOCK, _LOCK_KEY)
        finally:
            _release_clock(connection)


def _release_clock(connection: Connection[Any]) -> None:
    # Closing the connection is not enough: its server process ends, and drops the lock, some time after that.
    # If the connection is broken, the server has dropped the lock or will do so.
    with suppress(psycopg.OperationalError):
        connection.rollback()


def _mark(connection: Connection[Any]) -> None:
    if _is_true(connection, _IS_OPENED):
        raise SandboxError(_OPENED)
    if _is_true(connection, _HOLDS_ENTERPRISES):
        raise SandboxError(_HOLDS_A_NETWORK)
    name = str(conninfo_to_dict(connection.info.dsn).get("application_name") or APPLICATION_NAME)
    if _is_true(connection, _IS_IN_USE, name.removesuffix(STARTING_SUFFIX)):
        raise SandboxError(
            "Another process uses this database, which is no sandbox yet: stop that process before you start with"
            " CLEARWINDOW_SANDBOX=1."
        )
    try:
        connection.execute(_MARK)
    except psycopg.errors.IntegrityConstraintViolation:
        # An enterprise, or an administrator, came meanwhile.
        raise SandboxError(_HOLDS_A_NETWORK) from None


def _is_marked(connection: Connection[Any]) -> bool:
    # A database that was not migrated to this version has no table for the mark.
    return _is_true(connection, _IS_KNOWN) and _is_true(connection, "SELECT EXISTS (SELECT FROM sandbox)")


def _is_true(connection: Connection[Any], question: str, *values: object) -> bool:
    row = connection.execute(question, values).fetchone()
    return bool(row and row[0])
