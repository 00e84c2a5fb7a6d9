"""Empties the database of a sandbox. No other database is ever emptied."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from clearwindow.postgres.sandbox import reset_clock

_EMPTY: Final = "SELECT empty_sandbox()"
"""A function of the database, which runs as the owner of the tables and refuses a database without the mark."""


def empty(connection: Connection[Any]) -> None:
    """Empties the tables and sets the clock back to real time, in the caller's transaction.

    Operators, their tokens and the currencies stay.

    Raises:
        psycopg.errors.LockNotAvailable: other transactions are at work, and nothing was removed.
        psycopg.errors.IntegrityConstraintViolation: the database is no sandbox.
    """
    # Shorter than the time after which the database looks for deadlocks, so that we always give way.
    connection.execute("SET LOCAL lock_timeout = '500ms'")
    connection.execute(_EMPTY)
    reset_clock(connection)
