"""The connection pool, and the one transaction that a request or a job is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, TypeVar

from psycopg import Connection, Copy
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg_pool import ConnectionPool

from clearwindow.clock import Clock
from clearwindow.database.sandbox import APPLICATION_NAME, SharedClock

T = TypeVar("T")

STATEMENT_TIMEOUT_SECONDS = 120
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction: the only way to the database, and to the time it happens at."""

    connection: Connection
    clock: Clock

    def now(self) -> datetime:
        """The present. Read it after taking the locks that a deadline is decided under."""
        return self.clock.now()

    def run(self, statement: LiteralString, **values: object) -> int:
        """Runs a statement and gives the number of rows it touched."""
        return self.connection.execute(statement, values).rowcount

    def one(self, into: type[T], statement: LiteralString, **values: object) -> T:
        """The one row the statement must give."""
        row = self.first(into, statement, **values)
        if row is None:
            raise LookupError("the statement gave no row where there must be one")
        return row

    def first(self, into: type[T], statement: LiteralString, **values: object) -> T | None:
        with self.connection.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(statement, values).fetchone()

    def all(self, into: type[T], statement: LiteralString, **values: object) -> list[T]:
        with self.connection.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(statement, values).fetchall()

    def scalars(self, of: type[T], statement: LiteralString, **values: object) -> list[T]:  # noqa: ARG002
        """The single column that the statement gives; ``of`` only tells its type."""
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def records(self, statement: LiteralString, **values: object) -> list[dict[str, object]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    @contextmanager
    def copy_in(self, statement: LiteralString) -> Iterator[Copy]:
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, dsn: str, clock: Clock, *, max_connections: int = 20) -> None:
        self.dsn = dsn
        self._clock = clock
        shared = self._shared_clock = clock if isinstance(clock, SharedClock) else None
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=max_connections,
            timeout=30,
            open=False,
            check=shared.check_connection if shared else ConnectionPool.check_connection,
            kwargs={
                "options": (
                    f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
                    f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s"
                    " -c timezone=UTC"
                ),
                "application_name": APPLICATION_NAME,
            },
        )

    def open(self) -> None:
        self._pool.open(wait=True, timeout=30)

    def close(self) -> None:
        self._pool.close()

    def pool_stats(self) -> dict[str, int]:
        """The pool's own numbers since it was opened."""
        return dict(self._pool.get_stats())

    @contextmanager
    def transaction(self, *, timeout_seconds: float | None = None) -> Iterator[Transaction]:
        """Commits when the block ends, rolls back when it raises; waits for a connection at most that long."""
        with self._pool.connection(timeout=timeout_seconds) as connection:
            clock = self._shared_clock.within(connection) if self._shared_clock else self._clock
            yield Transaction(connection, clock)
