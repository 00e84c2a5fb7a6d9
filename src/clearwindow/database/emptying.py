"""Emptying a sandbox's database, so that it begins anew. No other database is ever emptied."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import scalar_row
from psycopg.sql import SQL, Identifier

from clearwindow.database.sandbox import put_back

_KEPT: Final = ("schema_migration", "sandbox", "currency", "operator")
"""What a network is built on rather than made of."""

_KEPT_ROWS: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("account", "kind = 'outside'"),
    ("access_token", "operator_id IS NOT NULL"),
)

_TABLES: Final = """
SELECT relname::text FROM pg_class
WHERE relkind = 'r' AND relname <> ALL(%s)
  AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'sandbox'::regclass)
ORDER BY relname
"""


def empty(connection: Connection[Any]) -> None:
    """Removes all that networks are made of and makes the clock the world's again, in the caller's transaction.

    Operators, their tokens and the currencies stay.

    Raises:
        psycopg.errors.LockNotAvailable: others are at work; nothing was removed.
    """
    # Shorter than the database waits before it looks for deadlocks: so it is always us who give way.
    connection.execute("SET LOCAL lock_timeout = '500ms'")
    with connection.cursor(row_factory=scalar_row) as cursor:
        tables = [Identifier(name) for name in cursor.execute(_TABLES, [list(_KEPT)]).fetchall()]
    every = SQL(", ").join(tables)
    connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(every))
    for table, condition in _KEPT_ROWS:
        names = {"kept": Identifier(f"kept_{table}"), "table": Identifier(table), "condition": SQL(condition)}
        kept = SQL("CREATE TEMPORARY TABLE {kept} ON COMMIT DROP AS SELECT * FROM {table} WHERE {condition}")
        connection.execute(kept.format(**names))
    # What is kept for good is guarded by triggers, which only the tables' owner can put out of the way.
    for each in tables:
        connection.execute(SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(each))
    connection.execute(SQL("TRUNCATE {} RESTART IDENTITY").format(every))
    for each in tables:
        connection.execute(SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(each))
    for table, _ in _KEPT_ROWS:
        names = {"kept": Identifier(f"kept_{table}"), "table": Identifier(table)}
        connection.execute(SQL("INSERT INTO {table} SELECT * FROM {kept}").format(**names))
    put_back(connection)
