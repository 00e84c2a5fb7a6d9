"""The mark that a database is a sandbox's, and the clock that all processes of a sandbox share.

The mark guards every other database: its clock is the world's, and nothing empties it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from clearwindow.clock import Clock, SystemClock

APPLICATION_NAME: Final = "clearwindow"

_LOCK_KEY: Final = 0x636C6F636B  # "clock" as a number: any constant that nobody else uses
_MILLISECOND: Final = timedelta(milliseconds=1)

_FIND: Final = "SELECT resets, clock_offset_milliseconds, clock_target FROM sandbox"
_IS_KNOWN: Final = "SELECT to_regclass('sandbox') IS NOT NULL"
_HOLDS_ENTERPRISES: Final = "SELECT EXISTS (SELECT FROM enterprise)"
_IS_IN_USE: Final = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = %s)"
)
_MARK: Final = "INSERT INTO sandbox DEFAULT VALUES"
_MOVE: Final = "UPDATE sandbox SET clock_offset_milliseconds = greatest(clock_offset_milliseconds, %s)"
_AIM: Final = "UPDATE sandbox SET clock_target = %s"
_PUT_BACK: Final = "UPDATE sandbox SET resets = resets + 1, clock_offset_milliseconds = 0, clock_target = NULL"


class SandboxError(RuntimeError):
    """A database is a sandbox's and must not be, or is none and must be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """How a sandbox's clock stands; of two states the one with more resets, then with more offset, is the later."""

    resets: int
    clock_offset_milliseconds: int
    clock_target: datetime | None

    @property
    def order(self) -> tuple[int, int]:
        return self.resets, self.clock_offset_milliseconds


class SharedClock:
    """The world's clock, and by how much the sandbox has moved it. Goes back only where the sandbox begins anew.

    What the database says is read whenever a connection is taken from the pool, in place of the pool's own look at
    whether it lives, so that whoever asks after a move was committed lives in the new time.
    """

    def __init__(self, world: Clock | None = None) -> None:
        self.world: Clock = world or SystemClock()
        self._lock = threading.Lock()
        self._state = SandboxState(0, 0, None)

    @property
    def ahead(self) -> timedelta:
        """By how much it is ahead of the world's, as far as this process knows."""
        return self._state.clock_offset_milliseconds * _MILLISECOND

    def now(self) -> datetime:
        return self.world.now() + self.ahead

    def catch_up(self, connection: Connection[Any]) -> SandboxState:
        """Reads how the clock stands."""
        with connection.cursor(row_factory=class_row(SandboxState)) as cursor:
            state = cursor.execute(_FIND).fetchone()
        if state is None:
            raise LookupError("the mark of a sandbox is never removed")
        with self._lock:
            # Of two who read at the same time, the one who read first may come here last.
            if state.order > self._state.order:
                self._state = state
        return state

    def check_connection(self, connection: Connection[Any]) -> None:
        """What the pool does with a connection before it gives it to anybody."""
        connection.autocommit = True
        try:
            self.catch_up(connection)
        finally:
            connection.autocommit = False

    def within(self, connection: Connection[Any]) -> Clock:
        """The clock of a transaction: it knows every move that the holders of the locks before it knew."""
        return _ClockWithin(self, connection)

    def move(self, connection: Connection[Any], moment: datetime) -> None:
        """Moves it forwards to the moment, for all who begin after this is committed; never backwards."""
        # Rounded up: the moment must have come.
        offset_milliseconds = -((self.world.now() - moment) // _MILLISECOND)
        connection.execute(_MOVE, [offset_milliseconds])


@dataclass(frozen=True, slots=True)
class _ClockWithin:
    shared: SharedClock
    connection: Connection[Any]

    def now(self) -> datetime:
        self.shared.catch_up(self.connection)
        return self.shared.now()


def aim(connection: Connection[Any], target: datetime) -> None:
    """Notes where the clock is to go."""
    connection.execute(_AIM, [target])


def put_back(connection: Connection[Any]) -> None:
    """Makes the clock the world's again, in the transaction that empties the database.

    Raises:
        LookupError: it is no sandbox's, so that the transaction must not commit.
    """
    if connection.execute(_PUT_BACK).rowcount != 1:
        raise LookupError("only a database that is marked as a sandbox's may be emptied")


def clock_of(dsn: str, *, sandbox: bool | None) -> Clock:
    """The clock of this database, which must be of the right kind.

    Args:
        dsn: the database, migrated.
        sandbox: True marks it as a sandbox's where it may be; False wants one that is none; None takes any.

    Raises:
        SandboxError: it is of the other kind.
    """
    with psycopg.connect(dsn) as connection:
        marked = _is_marked(connection)
        if sandbox and not marked:
            _mark(connection)
            marked = True
    if marked and sandbox is False:
        raise SandboxError(
            "The database is a sandbox's, and its clock may be ahead of the world's: set CLEARWINDOW_SANDBOX=1 to"
            " go on with it, or use another database."
        )
    return SharedClock() if marked else SystemClock()


@contextmanager
def holding_clock(dsn: str) -> Iterator[bool]:
    """Whether the clock is the block's alone, so that nobody else moves it; a process that dies lets it go."""
    with psycopg.connect(dsn, autocommit=True, application_name=APPLICATION_NAME) as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK_KEY]).fetchone()
        yield bool(row and row[0])


def _mark(connection: Connection[Any]) -> None:
    connection.execute("LOCK TABLE enterprise, sandbox IN SHARE ROW EXCLUSIVE MODE")
    if _is_marked(connection):
        return
    if _is_so(connection, _HOLDS_ENTERPRISES):
        raise SandboxError(
            "The database holds enterprises and is no sandbox's: CLEARWINDOW_SANDBOX=1 needs an empty one, so that"
            " no real network's clock is ever moved. Use another data folder or database, or leave the setting out."
        )
    if _is_so(connection, _IS_IN_USE, APPLICATION_NAME):
        raise SandboxError(
            "Another process works on this database as on one that is no sandbox: end it before you make one of it"
            " with CLEARWINDOW_SANDBOX=1."
        )
    connection.execute(_MARK)


def _is_marked(connection: Connection[Any]) -> bool:
    # A database that was not brought up to this version has no table for the mark.
    return _is_so(connection, _IS_KNOWN) and _is_so(connection, "SELECT EXISTS (SELECT FROM sandbox)")


def _is_so(connection: Connection[Any], question: str, *values: object) -> bool:
    row = connection.execute(question, values).fetchone()
    return bool(row and row[0])
