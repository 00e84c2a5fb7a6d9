"""The content of a database, to show that a refused request changed nothing."""

from __future__ import annotations

import psycopg
from psycopg import sql


def snapshot(dsn: str) -> dict[str, tuple[int, str | None]]:
    """Returns the number of rows and a digest of each table."""
    held: dict[str, tuple[int, str | None]] = {}
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        ).fetchall()
        for (table,) in tables:
            statement = sql.SQL("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t")
            row = connection.execute(statement.format(sql.Identifier(table))).fetchone()
            assert row is not None
            held[table] = (row[0], row[1])
    return held
