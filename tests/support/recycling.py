"""Databases that tests use one after the other.

A new database has cold caches, and the server spends most of a test on filling them. So a test that changed nothing
but rows gives its database to the next one, which finds it as the migrations left it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from clearwindow.core.clock import Clock, ManualClock, SystemClock
from clearwindow.postgres.budget import LockWaits
from clearwindow.postgres.embedded.access import APPLICATION
from clearwindow.postgres.pool import Database

MOST_USES: Final = 50
"""After so many tests a database has more deleted rows than others, and plans for them. Then a new one is made."""
KEPT_SESSIONS: Final = "clearwindow kept"
"""The application name of sessions that outlive a test."""

_CATALOGS: Final = ("attribute", "class", "constraint", "index", "namespace", "policy", "proc", "trigger", "type")
_SETTINGS: Final = "SELECT coalesce(string_agg(s::text, ',' ORDER BY s::text), '') FROM pg_db_role_setting s"
_ADVISORY_LOCKS: Final = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (
    SELECT oid FROM pg_database WHERE datname = current_database())"""
_END_OTHERS: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> %s"""
_TABLES: Final = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""
_SEQUENCES: Final = "SELECT format('%I.%I', schemaname, sequencename), start_value, last_value FROM pg_sequences"


_IN_USE: Final[dict[str, RecycledDatabase]] = {}
"""The databases that tests of this process use now, by address."""


@dataclass
class _Seed:
    """The rows that migrations wrote into a table."""

    columns: sql.Composed
    rows: list[tuple[Any, ...]]


class _ClockOfTest:
    """The clock of the test that uses the sessions now."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def now(self) -> datetime:
        return self.clock.now()


@dataclass
class _Kept:
    """An open pool, with the terms under which it was opened."""

    database: Database
    clock: _ClockOfTest
    terms: tuple[float, LockWaits]


class RecycledDatabase:
    """A database that is emptied after each test. Its superuser does that, as nobody else may."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._uses = 0
        self._kept: _Kept | None = None
        self._is_pool_taken = False
        self._admin: Connection[Any] = psycopg.connect(make_conninfo(dsn, application_name="clearwindow recycling"))
        self._admin.execute("SET session_replication_role = replica")
        self._tables = [name for (name,) in self._admin.execute(_TABLES)]
        self._seeds = {name: self._seed(name) for name in self._with_rows()}
        self._sequences = set(self._admin.execute(_SEQUENCES))
        self._catalog = self._catalog_now()
        self._admin.commit()

    def pool(self, clock: Clock, wait_seconds: float, lock_waits: LockWaits) -> Database | None:
        """Returns open sessions for one test. Returns None if others than these are kept, or if they are in use."""
        terms = (wait_seconds, lock_waits)
        if self._kept is None:
            of_test = _ClockOfTest(clock)
            named = make_conninfo(self.dsn, user=APPLICATION, application_name=KEPT_SESSIONS)
            opened = Database(named, of_test, wait_seconds=wait_seconds, lock_waits=lock_waits)
            opened.open()
            self._kept = _Kept(opened, of_test, terms)
        elif self._kept.terms != terms or self._is_pool_taken:
            return None
        self._is_pool_taken = True
        self._kept.clock.clock = clock
        return self._kept.database

    def close(self) -> None:
        _IN_USE.pop(self.dsn, None)
        if self._kept is not None:
            self._kept.database.close()
        self._admin.close()

    def use(self) -> None:
        _IN_USE[self.dsn] = self

    def is_as_new(self) -> bool:
        """Empties the database. Returns False if it cannot be used again."""
        _IN_USE.pop(self.dsn, None)
        self._is_pool_taken = False
        self._uses += 1
        if self._kept is not None and not _is_idle(self._kept.database):
            return False
        if self._uses >= MOST_USES:
            return False
        try:
            with self._admin.transaction():
                self._admin.execute("SET LOCAL lock_timeout = '1s'")
                self._admin.execute(_END_OTHERS, [KEPT_SESSIONS])
                if self._catalog_now() != self._catalog or self._first(_ADVISORY_LOCKS) != 0:
                    return False
                self._empty()
        except psycopg.Error:
            # A session that is still open holds locks, or the server ended ours.
            return False
        return True

    def _empty(self) -> None:
        for name in {*self._with_rows(), *self._seeds}:
            self._admin.execute(sql.SQL("DELETE FROM {}").format(_as_written(name)))
        for name, seed in self._seeds.items():
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(_as_written(name), seed.columns)
            with self._admin.cursor() as cursor, cursor.copy(into) as copy:
                for row in seed.rows:
                    copy.write_row(row)
        moved = {name for name, *_ in {*self._admin.execute(_SEQUENCES)} - self._sequences}
        for name, first, last in self._sequences:
            if name in moved:
                self._admin.execute("SELECT setval(%s, %s, %s)", [name, last or first, last is not None])

    def _with_rows(self) -> list[str]:
        parts = [
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), _as_written(name))
            for name in self._tables
        ]
        return [name for (name,) in self._admin.execute(sql.SQL(" UNION ALL ").join(parts))]

    def _seed(self, name: str) -> _Seed:
        of_table = (
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
        )
        names = [column for (column,) in self._admin.execute(of_table, [name])]
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        with self._admin.cursor() as cursor:
            out = sql.SQL("COPY {} ({}) TO STDOUT").format(_as_written(name), columns)
            with cursor.copy(out) as copy:
                return _Seed(columns, list(copy.rows()))

    def _catalog_now(self) -> tuple[Any, ...]:
        """Returns a value that every change of the schema, of rights and of settings changes."""
        parts = [
            sql.SQL("(SELECT count(*) || ':' || max(xmin::text::bigint) FROM {})").format(
                sql.Identifier(f"pg_{name}")
            )
            for name in _CATALOGS
        ]
        row = self._admin.execute(sql.SQL("SELECT {}, ({})").format(sql.SQL(", ").join(parts), sql.SQL(_SETTINGS)))
        return tuple(row.fetchone() or ())

    def _first(self, statement: LiteralString) -> object:
        return (self._admin.execute(statement).fetchone() or (None,))[0]


def kept_pool(dsn: str, clock: Clock, wait_seconds: float, lock_waits: LockWaits) -> Database | None:
    """Returns the open sessions of a recycled database, of its application's role, until the database is emptied.

    Returns None if the database is none of them, or if these terms are not those of the sessions.
    """
    recycled = _IN_USE.get(dsn)
    if recycled is None or type(clock) not in {ManualClock, SystemClock}:
        return None
    return recycled.pool(clock, wait_seconds, lock_waits)


def _is_idle(database: Database) -> bool:
    stats = database.pool_stats()
    # A pool that the test closed has no sessions.
    return 0 < stats["pool_size"] == stats["pool_available"] and not stats.get("requests_waiting")


def _as_written(name: str) -> sql.SQL:
    """Returns a name that the server has quoted where it must be."""
    return sql.SQL(name)
