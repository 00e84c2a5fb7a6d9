"""The pool's sessions: opened as the address says, looked at before use, and dropped if they take no writes."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final, Self, TypeVar

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from clearwindow.core.clock import Clock
from clearwindow.core.places import Places, Use, enter_and_wait
from clearwindow.core.work import Purpose, Working, working
from clearwindow.postgres.address import (
    APPLICATION_NAME,
    LIMITS,
    RELIED_ON,
    address,
    beginning_with,
    is_pooler,
    own_options,
    set_for_session,
    set_for_transaction,
    takes_standby,
)
from clearwindow.postgres.budget import Budget, LockWaits
from clearwindow.postgres.database_clock import DatabaseClock
from clearwindow.postgres.failures import (
    CommitCutOffError,
    Failure,
    FailureLog,
    NoConnectionError,
    failure_of,
    failure_to_connect,
    first_line,
)
from clearwindow.postgres.liveness import Liveness, Place, SilentServerError, place_of
from clearwindow.postgres.lock_waits import LockWatch, Observer
from clearwindow.postgres.sandbox import SharedClock

T = TypeVar("T")

_RECONNECT_SECONDS: Final = 1.0
"""For so long one request to open a connection tries. The next request for one begins anew."""
_TICK_SECONDS: Final = 0.1
"""How often a thread that waits for an answer wakes up."""
_CANCEL_SECONDS: Final = 5.0
_LOCK_TIMEOUT: Final = "lock_timeout"
_SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %s, false)"
_READ_ONLY_SIGNS: Final = ("in_hot_standby", "default_transaction_read_only")
"""The server tells these with each answer when they change."""
_BLOCK: Final = "DO 'BEGIN PERFORM 1; END'"
_TRY_TO_WRITE: Final = (
    "CREATE TEMPORARY TABLE room_on_disk (filler text) ON COMMIT DROP",
    "INSERT INTO room_on_disk SELECT repeat('room', 400) FROM generate_series(1, 100)",
)


class _Session(Connection[Any]):
    """A connection of the pool."""

    through_pooler = False
    lock_timeout: str | None = None
    """What it is set to in this session, if we set it."""
    watch: LockWatch | None = None
    """Watches the statements of the transaction that has it now."""
    liveness: ClassVar[Liveness]

    def wait(self, gen: Generator[Any, Any, T], interval: float = _TICK_SECONDS, timeout: float | None = None) -> T:
        watched = self.liveness.watched(self, gen)
        return super().wait(self.watch.watched(watched) if self.watch else watched, interval, timeout)


class _Taking(threading.local):
    """How the calling thread takes a session."""

    unchecked = False


class Sessions:
    """The pool of one database, and what is known of the database's state."""

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        max_connections: int,
        wait_seconds: float,
        lock_waits: LockWaits,
        budget: Budget | None,
    ) -> None:
        self._shared_clock = clock if isinstance(clock, SharedClock) else None
        self._database_clock = clock if isinstance(clock, DatabaseClock) else None
        self._max_connections = max_connections
        self._wait_seconds = wait_seconds
        self._takes_standby = takes_standby(dsn)
        self._lock_waits = lock_waits
        self._for_transactions = {**LIMITS, **own_options(dsn), **RELIED_ON}
        self._is_lock_timeout_given = _LOCK_TIMEOUT in own_options(dsn)
        self._places: Mapping[Purpose, Places] = budget.places() if budget else {}
        self._lock_places: Mapping[Purpose, Places] = budget.lock_wait_places() if budget else {}
        self._observer = Observer(dsn)
        self._liveness = Liveness(dsn)
        self._last_place: Place | None = None
        self._log = FailureLog()
        self._lock = threading.Lock()
        self._in_use = 0
        self._taking = _Taking()
        self._through_pooler = False
        self._failed_to_connect: str | None = None
        self._is_full = False
        name = conninfo_to_dict(dsn).get("application_name") or APPLICATION_NAME
        self._pool: ConnectionPool[_Session] = ConnectionPool(
            address(dsn),
            connection_class=self._session_class(),
            min_size=1,
            max_size=max_connections,
            timeout=wait_seconds,
            reconnect_timeout=_RECONNECT_SECONDS,
            open=False,
            configure=self._configure,
            check=self._check,
            kwargs={"application_name": name},
        )

    def open(self) -> None:
        self._pool.open(wait=True, timeout=30)

    def close(self) -> None:
        self._pool.close()
        self._observer.close()

    def stats(self) -> dict[str, int]:
        return dict(self._pool.get_stats())

    def uses(self) -> dict[str, Use]:
        """Returns what each part of the connections is used for; nothing if they are not divided."""
        found = {f"connections_{purpose}": places.use() for purpose, places in self._places.items()}
        if self._lock_places:
            found["lock_waits"] = self._lock_places[Purpose.WRITING].use()
            found["lock_waits_background"] = self._lock_places[Purpose.BACKGROUND].use()
        return found

    def tell(self, error: BaseException, during: str) -> bool:
        failure = failure_of(error)
        if failure is not None:
            self._log.tell(failure, error, during)
        return failure is not None

    @contextmanager
    def transaction(self, timeout_seconds: float | None) -> Iterator[Connection[Any]]:
        """Commits when the block ends and rolls back when it raises.

        Raises:
            NoConnectionError: there is no connection, and why.
            CommitCutOffError: the connection broke during the commit.
        """
        work = working()
        with self._placed(work, timeout_seconds), self._taken(work, timeout_seconds) as session:
            yield session

    @contextmanager
    def look_up(self) -> Iterator[Connection[Any]]:
        """Gives a session for statements that only read, each in a transaction of its own: one round trip each.

        The session is not checked first. If its connection turns out to be broken, the caller asks again with
        ``transaction``.

        Raises:
            NoConnectionError: there is no connection, and why.
        """
        work = working()
        with self._placed(work, None):
            self._taking.unchecked = True
            try:
                session = self._take(None)
            finally:
                self._taking.unchecked = False
            try:
                if not self._takes_standby:
                    _require_writable(session)
                session.autocommit = True
                yield session
            finally:
                if not session.closed and session.info.transaction_status is TransactionStatus.IDLE:
                    session.autocommit = False
                self._give_back(session)

    @property
    def may_look_up(self) -> bool:
        """Whether nothing must be set or read before a statement, as in a sandbox or through a pooler."""
        return self._shared_clock is None and not self._through_pooler

    @contextmanager
    def _taken(self, work: Working, timeout_seconds: float | None) -> Iterator[_Session]:
        session = self._take(timeout_seconds)
        try:
            session.watch = self._watch(session, work)
            with session:
                if session.through_pooler:
                    self._begin_through_pooler(session, work.purpose)
                yield session
                _commit(session)
            self._log.is_well()
        except psycopg.Error as error:
            self._note(session, error)
            raise
        finally:
            session.watch = None
            self._give_back(session)

    def _give_back(self, session: _Session) -> None:
        with self._lock:
            self._in_use -= 1
        self._pool.putconn(session)

    def failure_now(self) -> Failure | None:
        """Returns what the database cannot do now, None if it can do everything that requests need.

        Raises:
            psycopg.Error, PoolTimeout: it failed in another way than those that are known.
        """
        try:
            with self.transaction(None) as connection:
                (answer,) = connection.execute("SELECT current_setting('transaction_read_only')").fetchone() or (
                    "",
                )
                if answer == "on":
                    return Failure.READ_ONLY
                # Statements of ours run such blocks, and a server whose files were replaced may not.
                connection.execute(_BLOCK)
                if self._is_full:
                    for statement in _TRY_TO_WRITE:
                        connection.execute(statement)
            self._is_full = False
        except (psycopg.Error, PoolTimeout) as error:
            failure = failure_of(error)
            if failure is None:
                raise
            self._log.tell(failure, error, "readiness")
            return failure
        return None

    def _take(self, timeout_seconds: float | None) -> _Session:
        try:
            session = self._pool.getconn(timeout_seconds)
        except PoolTimeout as error:
            said = self._failed_to_connect
            if said is not None:
                raise NoConnectionError(failure_to_connect(said), said) from None
            # The pool may open more connections and did not: the server does not answer.
            no_more = self._in_use >= self._max_connections
            raise NoConnectionError(Failure.NO_CAPACITY if no_more else Failure.AWAY, str(error)) from None
        with self._lock:
            self._in_use += 1
        return session

    def _begin_through_pooler(self, session: _Session, purpose: Purpose) -> None:
        settings = {_LOCK_TIMEOUT: self._lock_timeout(purpose), **self._for_transactions}
        if self._shared_clock is not None:
            # In a transaction of its own, so that the caller's begins with a statement of the caller.
            set_for_transaction(session, settings)
            self._shared_clock.catch_up(session)
            session.commit()
        set_for_transaction(session, settings)

    def _lock_timeout(self, purpose: Purpose) -> str:
        return f"{self._lock_waits.seconds(purpose) * 1000:.0f}ms"

    @contextmanager
    def _placed(self, work: Working, timeout_seconds: float | None) -> Iterator[None]:
        """Holds a place among the connections of this purpose, so that there is one in the pool for it."""
        places = self._places.get(work.purpose)
        if places is None:
            yield
            return
        seconds = self._wait_seconds if timeout_seconds is None else timeout_seconds
        longest = max(seconds, self._lock_waits.seconds(work.purpose))
        if work.purpose is Purpose.BACKGROUND:
            # Nobody waits for an answer, and to try again would only come to the end of the same line.
            seconds = longest
        place = enter_and_wait(places, work.holder, seconds, longest)
        if place is None:
            raise NoConnectionError(Failure.NO_CAPACITY, f"all connections for {work.purpose} are in use")
        try:
            yield
        finally:
            places.leave(place)

    def _watch(self, session: _Session, work: Working) -> LockWatch | None:
        places = self._lock_places.get(work.purpose)
        if places is None or session.through_pooler:
            # A pooler does not say which session of the server a transaction has. The lock timeout must do.
            return None
        pid = session.info.backend_pid

        def cancel() -> None:
            # If it cannot be cancelled, the lock timeout ends it.
            with suppress(psycopg.Error):
                session.cancel_safe(timeout=_CANCEL_SECONDS)

        return LockWatch(places, work.holder, lambda: self._observer.waits_for_lock(pid), cancel)

    def _note(self, session: _Session, error: psycopg.Error) -> None:
        failure = failure_of(error)
        if failure is Failure.FULL:
            self._is_full = True
        if failure is Failure.READ_ONLY and not self._takes_standby:
            # After a failover the address leads elsewhere. All open sessions may be those of the former primary.
            session.close()
            self._pool.drain()
        if isinstance(error, SilentServerError):
            self._pool.drain()

    def _session_class(self) -> type[_Session]:
        owner = self

        class Session(_Session):
            liveness = owner._liveness

            @classmethod
            def connect(cls, conninfo: str = "", **options: Any) -> Self:  # noqa: ANN401 - psycopg's own
                last = owner._last_place
                try:
                    session = super().connect(
                        beginning_with(conninfo, last[0], last[2]) if last else conninfo, **options
                    )
                except psycopg.Error as error:
                    owner._last_place = None
                    owner._failed_to_connect = first_line(error)
                    raise
                owner._last_place = place_of(session)
                owner._failed_to_connect = None
                return session

        return Session

    def _configure(self, session: _Session) -> None:
        session.through_pooler = self._through_pooler = is_pooler(session)
        if not session.through_pooler:
            set_for_session(session, LIMITS)
        if self._database_clock is not None:
            # Also because the server may be another one than before.
            self._database_clock.measure(session)

    def _check(self, session: _Session) -> None:
        """Checks a session before it is used. One that fails is replaced."""
        if self._taking.unchecked:
            return
        try:
            if self._liveness.is_known_silent(place_of(session)):
                raise SilentServerError("the database server gave no answer a moment ago")
            is_checked = self._bring_lock_timeout(session, working().purpose)
            if self._database_clock is not None and self._database_clock.is_old:
                self._database_clock.measure(session)
            elif self._shared_clock is not None and not session.through_pooler:
                self._shared_clock.check_connection(session)
            elif not is_checked:
                ConnectionPool.check_connection(session)
            if not self._takes_standby:
                _require_writable(session)
        except psycopg.OperationalError:
            # The others are probably as old. The pool would try only two of them in the time that a request has.
            self._pool.drain()
            raise

    def _bring_lock_timeout(self, session: _Session, purpose: Purpose) -> bool:
        """Sets how long this purpose waits for locks. Returns whether there was anything to set."""
        wanted = self._lock_timeout(purpose)
        if session.through_pooler or self._is_lock_timeout_given or session.lock_timeout == wanted:
            return False
        session.autocommit = True
        try:
            session.execute(_SET_LOCK_TIMEOUT, [wanted])
        finally:
            if not session.closed:
                session.autocommit = False
        session.lock_timeout = wanted
        return True


def _require_writable(session: _Session) -> None:
    if any(session.info.parameter_status(sign) == "on" for sign in _READ_ONLY_SIGNS):
        session.close()
        raise psycopg.OperationalError("session is read-only")


def _commit(connection: Connection[Any]) -> None:
    try:
        connection.commit()
    except psycopg.OperationalError as error:
        if failure_of(error) is Failure.CUT_OFF:
            raise CommitCutOffError(first_line(error)) from error
        raise
