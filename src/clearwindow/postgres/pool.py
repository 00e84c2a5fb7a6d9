"""The connection pool, the one transaction that a request or a job is, and how a row becomes a model.

The model's annotations say how to convert a column. PostgreSQL gives a quantity as ``numeric``, a state as text and
an array as a list. A field annotated ``int``, an enum, ``tuple`` or ``frozenset`` gets a value of that type, so
that no store converts by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, LiteralString, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from psycopg import Connection, Copy, Cursor
from psycopg.rows import RowMaker, dict_row, scalar_row

from clearwindow.core.clock import Clock
from clearwindow.core.ids import Ids, RandomIds
from clearwindow.core.places import Use
from clearwindow.core.vault import Vault
from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.budget import Budget, LockWaits
from clearwindow.postgres.failures import Failure
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.postgres.sessions import Sessions

T = TypeVar("T")
_IDS: Final = RandomIds()
_LOCK_WAITS: Final = LockWaits()

_LOCK_TIMEOUT: Final = "SELECT current_setting('lock_timeout')"
_SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %(timeout)s, true)"


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction. Use cases reach the database, the clock and new ids only through it."""

    connection: Connection
    clock: Clock
    ids: Ids
    sealer: Vault | None
    call_seconds: float
    """How long a call to a partner's or receiver's endpoint may take. The leases of calls are longer than this."""

    def now(self) -> datetime:
        """Returns the present time. Call it after taking the locks under which a deadline is decided."""
        return self.clock.now()

    def new_id(self) -> UUID:
        return self.ids.new()

    @property
    def vault(self) -> Vault:
        """Encrypts the secrets that this transaction stores."""
        if self.sealer is None:
            raise LookupError("this transaction was opened without the secret key")
        return self.sealer

    def run(self, statement: LiteralString, **values: object) -> int:
        """Runs a statement and returns the number of rows that it changed."""
        return self.connection.execute(statement, values).rowcount

    def one(self, into: type[T], statement: LiteralString, **values: object) -> T:
        """Returns the one row of a statement that always has one."""
        row = self.first(into, statement, **values)
        if row is None:
            raise LookupError("the statement returned no row, but must return one")
        return row

    def first(self, into: type[T], statement: LiteralString, **values: object) -> T | None:
        with self.connection.cursor(row_factory=model_row(into)) as cursor:
            return cursor.execute(statement, values).fetchone()

    def all(self, into: type[T], statement: LiteralString, **values: object) -> list[T]:
        with self.connection.cursor(row_factory=model_row(into)) as cursor:
            return cursor.execute(statement, values).fetchall()

    def scalars(self, of: type[T], statement: LiteralString, **values: object) -> list[T]:  # noqa: ARG002
        """Returns the values of the only column. ``of`` is their type."""
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def records(self, statement: LiteralString, **values: object) -> list[dict[str, object]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    @contextmanager
    def waiting_for_locks(self, seconds: float) -> Iterator[None]:
        """Lets the statements of the block wait so long for a lock. Then they raise ``LockNotAvailable``."""
        (before,) = self.scalars(str, _LOCK_TIMEOUT)
        self.run(_SET_LOCK_TIMEOUT, timeout=f"{seconds * 1000:.0f}ms")
        yield
        self.run(_SET_LOCK_TIMEOUT, timeout=before)

    @contextmanager
    def copy_in(self, statement: LiteralString) -> Iterator[Copy]:
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        *,
        max_connections: int = 20,
        wait_seconds: float = CONNECTION_WAIT_SECONDS,
        lock_waits: LockWaits = _LOCK_WAITS,
        budget: Budget | None = None,
    ) -> None:
        """Prepares the pool, and opens no connection yet.

        Args:
            dsn: the database's address.
            clock: what transactions take for the present.
            max_connections: how many connections it opens at most.
            wait_seconds: how long a transaction waits for one of them.
            lock_waits: how long it waits for a lock.
            budget: how the connections are divided between purposes. Without it, they are not: a process that
                answers no requests needs no division.
        """
        self.dsn = dsn
        self._clock = clock
        self._shared_clock = clock if isinstance(clock, SharedClock) else None
        self._sessions = Sessions(dsn, self._shared_clock, max_connections, wait_seconds, lock_waits, budget)

    def open(self) -> None:
        self._sessions.open()

    def close(self) -> None:
        self._sessions.close()

    def pool_stats(self) -> dict[str, int]:
        """The pool's own numbers since it was opened."""
        return self._sessions.stats()

    def uses(self) -> dict[str, Use]:
        """What each part of the connections is used for."""
        return self._sessions.uses()

    def tell(self, error: BaseException, during: str) -> bool:
        """Tells the log, once a minute, of a failure of the database. Returns whether the error is one."""
        return self._sessions.tell(error, during)

    def failure_now(self) -> Failure | None:
        """Asks the database whether it can do what requests need. Returns what is wrong."""
        return self._sessions.failure_now()

    @contextmanager
    def transaction(
        self,
        *,
        timeout_seconds: float | None = None,
        ids: Ids = _IDS,
        vault: Vault | None = None,
        call_seconds: float = 10,
    ) -> Iterator[Transaction]:
        """Commits at the end of the block, rolls back if it raises. Waits ``timeout_seconds`` for a connection."""
        with self._sessions.transaction(timeout_seconds) as connection:
            clock = self._shared_clock.within(connection) if self._shared_clock else self._clock
            yield Transaction(connection, clock, ids, vault, call_seconds)


def model_row(into: Callable[..., T]) -> Callable[[Cursor[Any]], RowMaker[T]]:
    """Returns a row factory that makes ``into`` from a row's columns, by name."""

    def factory(cursor: Cursor[Any]) -> RowMaker[T]:
        converters = _converters_of(into)
        columns = [(column.name, converters.get(column.name)) for column in cursor.description or ()]

        def row(values: Sequence[Any]) -> T:
            return into(
                **{
                    name: value if convert is None or value is None else convert(value)
                    for (name, convert), value in zip(columns, values, strict=True)
                }
            )

        return row

    return factory


def model_of(into: Callable[..., T], record: Mapping[str, Any]) -> T:
    """Returns ``into`` made from a record that was read as a mapping."""
    converters = _converters_of(into)
    return into(
        **{
            name: value if value is None or name not in converters else converters[name](value)
            for name, value in record.items()
        }
    )


@cache
def _converters_of(into: Callable[..., object]) -> Mapping[str, Callable[[Any], object]]:
    if not isinstance(into, type):
        return {}
    found = {name: _converter_for(hint) for name, hint in get_type_hints(into).items()}
    return {name: convert for name, convert in found.items() if convert is not None}


def _converter_for(hint: Any) -> Callable[[Any], object] | None:  # noqa: ANN401 - any annotation
    if get_origin(hint) in (Union, UnionType):
        hint = next((part for part in get_args(hint) if part is not NoneType), None)
    if hint is int:
        return int
    collection = get_origin(hint)
    if collection in (tuple, frozenset):
        convert = _converter_for(get_args(hint)[0])
        return collection if convert is None else lambda members: collection(map(convert, members))
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else None
