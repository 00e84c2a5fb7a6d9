"""The connection pool, and the one transaction that a request or a job is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString, TypeVar
from uuid import UUID

from psycopg import Connection, Error
from psycopg.sql import SQL, Literal

from clearwindow.core import tracing
from clearwindow.core.clock import Clock
from clearwindow.core.ids import Ids, RandomIds
from clearwindow.core.places import Use
from clearwindow.core.vault import Vault
from clearwindow.core.work import Purpose, working
from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.asking import Asking
from clearwindow.postgres.budget import Budget, LockWaits
from clearwindow.postgres.failures import Failure, NoConnectionError
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.postgres.sessions import Sessions

T = TypeVar("T")
_IDS: Final = RandomIds()
_LOCK_WAITS: Final = LockWaits()

_LOCK_TIMEOUT: Final = "SELECT current_setting('lock_timeout')"
_SET_TRACE: Final = SQL("SET LOCAL clearwindow.traceparent = {}")
_WRITES: Final = frozenset({Purpose.WRITING, Purpose.BACKGROUND})
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

    @property
    def ask(self) -> Asking:
        """Runs statements whose answers are read later: see ``together``."""
        return Asking(self.connection)

    def together(self) -> AbstractContextManager[None]:
        """Sends the statements of the block in one round trip, as long as none of their answers is read in it."""
        return self.ask.together()

    def tell(self, statement: LiteralString, **values: object) -> None:
        """Runs a statement without a look at what it changed."""
        self.ask.run(statement, **values)

    def run(self, statement: LiteralString, **values: object) -> int:
        """Runs a statement and returns the number of rows that it changed."""
        return self.ask.run(statement, **values)()

    def one(self, into: type[T], statement: LiteralString, **values: object) -> T:
        """Returns the one row of a statement that always has one."""
        return self.ask.one(into, statement, **values)()

    def first(self, into: type[T], statement: LiteralString, **values: object) -> T | None:
        return self.ask.first(into, statement, **values)()

    def all(self, into: type[T], statement: LiteralString, **values: object) -> list[T]:
        return self.ask.all(into, statement, **values)()

    def scalars(self, of: type[T], statement: LiteralString, **values: object) -> list[T]:
        """Returns the values of the only column. ``of`` is their type."""
        return self.ask.scalars(of, statement, **values)()

    def records(self, statement: LiteralString, **values: object) -> list[dict[str, object]]:
        return self.ask.records(statement, **values)()

    def read_one_snapshot(self) -> None:
        """Lets all statements see the same, and write and lock nothing. Called before the first of them."""
        self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    @contextmanager
    def waiting_for_locks(self, seconds: float) -> Iterator[None]:
        """Lets the statements of the block wait so long for a lock. Then they raise ``LockNotAvailable``."""
        (before,) = self.scalars(str, _LOCK_TIMEOUT)
        self.run(_SET_LOCK_TIMEOUT, timeout=f"{seconds * 1000:.0f}ms")
        yield
        self.run(_SET_LOCK_TIMEOUT, timeout=before)


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
        self._sessions = Sessions(dsn, clock, max_connections, wait_seconds, lock_waits, budget)

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

    def look_up(self, read: Callable[[Transaction], T]) -> T:
        """Returns what one statement reads, for which no other needs to be consistent: in one round trip.

        Like any read, it may be done again.
        """
        if self._sessions.may_look_up:
            try:
                with self._sessions.look_up() as connection:
                    return read(Transaction(connection, self._clock, _IDS, None, 0))
            except NoConnectionError:
                raise
            except Error:
                # The connection may be as old as the server's last start. A transaction is given one that works.
                pass
        with self.transaction() as tx:
            return read(tx)

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
            if working().purpose in _WRITES:
                _tell_trace(connection)
            clock = self._shared_clock.within(connection) if self._shared_clock else self._clock
            yield Transaction(connection, clock, ids, vault, call_seconds)


def _tell_trace(connection: Connection) -> None:
    """Lets the rows that this transaction inserts name their trace. It has no statement if nothing is traced."""
    present = tracing.traceparent()
    if present is not None:
        connection.execute(_SET_TRACE.format(Literal(present)))
