"""Every moment of a request at which something is written, found by watching one, and held until a kill.

A trigger after each statement that writes, on each table, notes the statement and its transaction. It exists in the
tests' database alone. It also waits for an advisory lock at the one statement that a test names. A deferred trigger
does the same at the end of each transaction, when all is written and nothing is durable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from tests.crash.holds import missing_standby
from tests.crash.servers import AnyServer, connected

_SPACE: Final = 1_068
_MOST_OF_ONE: Final = 3
"""How often the same statement of one request is a moment of its own."""

COMMIT: Final = "commit"
DURABLE: Final = "committed, not noticed"

_INSTALL: Final = """
    CREATE SCHEMA crash;
    CREATE TABLE crash.seen (number bigint GENERATED ALWAYS AS IDENTITY, what text, first boolean);
    CREATE TABLE crash.wanted (what text NOT NULL, nth integer NOT NULL);
    CREATE SEQUENCE crash.reached;
    CREATE FUNCTION crash.reach(reached text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        at integer;
        is_first boolean := coalesce(current_setting('crash.began', true), '') = '';
    BEGIN
        PERFORM set_config('crash.began', 'yes', true);
        SELECT nth INTO at FROM crash.wanted WHERE what = reached;
        IF at IS NOT NULL AND nextval('crash.reached') = at THEN
            PERFORM pg_advisory_xact_lock_shared({space}, 0);
        END IF;
        INSERT INTO crash.seen (what, first) VALUES (reached, is_first);
    END $$;
    CREATE FUNCTION crash.write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF EXISTS (SELECT FROM changed) THEN
            PERFORM crash.reach(lower(TG_OP) || ' ' || TG_TABLE_NAME);
        END IF;
        RETURN NULL;
    END $$;
    CREATE FUNCTION crash.commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        PERFORM crash.reach({commit});
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER commit AFTER INSERT ON crash.seen DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.first) EXECUTE FUNCTION crash.commit()"""
_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"""
_OPERATIONS: Final = (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
_HOLDER: Final = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = 0 AND NOT granted"""
_HELD_COMMIT: Final = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'clearwindow' AND wait_event = 'SyncRep'"""


@dataclass(frozen=True, slots=True)
class Moment:
    """The ``nth`` time that a request, or the work that follows from it, does ``what``.

    Attributes:
        before_commit: whether nothing of the request is durable yet.
    """

    what: str
    nth: int
    before_commit: bool

    def __str__(self) -> str:
        return self.what if self.nth == 1 else f"{self.what}, {self.nth}"

    @property
    def durable(self) -> bool:
        return self.what == DURABLE


def install(server: AnyServer) -> None:
    """Creates the triggers. They only take notes until a moment is wanted."""
    with connected(server.dsn) as connection:
        connection.execute(sql.SQL(_INSTALL).format(space=sql.Literal(_SPACE), commit=sql.Literal(COMMIT)))
        for (table,) in connection.execute(_TABLES).fetchall():
            for operation, rows in _OPERATIONS:
                connection.execute(
                    sql.SQL(
                        "CREATE TRIGGER {name} AFTER {operation} ON {table} REFERENCING {rows} TABLE AS changed"
                        " FOR EACH STATEMENT EXECUTE FUNCTION crash.write()"
                    ).format(
                        name=sql.Identifier(f"crash_{operation.lower()}"),
                        operation=sql.SQL(operation),
                        table=sql.Identifier(table),
                        rows=sql.SQL(rows),
                    )
                )


def forget(connection: psycopg.Connection) -> None:
    """Begins new notes."""
    connection.execute("TRUNCATE crash.seen")


def noted(connection: psycopg.Connection) -> Sequence[Moment]:
    """Returns the moments since the notes began, and the one after the first commit."""
    rows = connection.execute("SELECT what FROM crash.seen ORDER BY number").fetchall()
    times: Counter[str] = Counter()
    moments: list[Moment] = []
    for (what,) in rows:
        times[what] += 1
        first_commit = (what, times[what]) == (COMMIT, 1)
        if times[what] <= _MOST_OF_ONE:
            moments.append(Moment(what, times[what], before_commit=first_commit or not times[COMMIT]))
        if first_commit:
            moments.append(Moment(DURABLE, 1, before_commit=False))
    return moments


@contextmanager
def held(server: AnyServer, moment: Moment) -> Iterator[int]:
    """Makes the transaction that comes to the moment wait there until the block or PostgreSQL ends.

    Yields:
        The process of PostgreSQL that holds it. When that ends, the waiting transaction goes on.
    """
    connection = connected(server.dsn)
    try:
        if moment.durable:
            missing_standby(server, connection)
        else:
            connection.execute("SELECT pg_advisory_lock(%s, 0)", [_SPACE])
            connection.execute("ALTER SEQUENCE crash.reached RESTART")
            connection.execute("INSERT INTO crash.wanted (what, nth) VALUES (%s, %s)", [moment.what, moment.nth])
        yield connection.info.backend_pid
    finally:
        # The kill may have ended its session.
        with suppress(psycopg.Error):
            connection.close()


def release(server: AnyServer) -> None:
    """Wants no moment any more."""
    with connected(server.dsn) as connection:
        connection.execute("DELETE FROM crash.wanted")


def holder_of(connection: psycopg.Connection, moment: Moment) -> int | None:
    """Returns the process of PostgreSQL that waits at the moment, None if it was not reached yet."""
    found = connection.execute(*((_HELD_COMMIT,) if moment.durable else (_HOLDER, [_SPACE]))).fetchone()
    return int(found[0]) if found else None
