"""What the product's statements need of each table, as PostgreSQL judges: it refuses what a role may not do.

Each privilege is taken away in turn, and the statements that name the table are planned again as the application's
role. What no statement misses is not needed.

``python -m tests.postgres.needs`` writes ``grants.toml``. Look at what changes before you commit it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

import clearwindow
from clearwindow.postgres.embedded.access import APPLICATION
from clearwindow.postgres.grants import PRIVILEGES
from clearwindow.postgres.queries import Queries
from clearwindow.rotation import SEALED, WRITE
from tests.support.databases import running_cluster

GRANTS: Final = Path(str(files("clearwindow.postgres").joinpath("grants.toml")))
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_COMMENT: Final = re.compile(r"^\s*--.*$", re.MULTILINE)
_IS_MOMENT: Final = re.compile(r"(^|_)(at|now|until)$")
_MOMENT: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""For parameters to which something is added: of a NULL, PostgreSQL would not know what it is."""
_IN_CODE: Final = re.compile(r'"((?:SELECT|INSERT|UPDATE|DELETE)\b[^"]*\bsandbox\b[^"]*)"')
"""Statements of the sandbox's clock, which stand in its module and not in a room's file."""

_TRIGGERS: Final = {
    "event_queued": "INSERT INTO event_to_deliver (sequence, event_id) SELECT sequence, id FROM event",
    "event_queued_to_tell": "INSERT INTO event_to_tell (sequence, event_id) SELECT sequence, id FROM event",
}
"""What the triggers of events do, with the rights of whoever inserts one."""


def statements() -> Iterator[tuple[str, str]]:
    """Yields every statement of the product, with its name."""
    root = Path(str(files(clearwindow)))
    for path in sorted(root.rglob("queries.sql")):
        package = ".".join(["clearwindow", *path.parent.relative_to(root).parts])
        for name, text in Queries(package).items():
            yield f"{package}.{name}", _COMMENT.sub("", text).strip()
    code = (root / "postgres" / "sandbox.py").read_text()
    yield from ((f"sandbox.{number}", found[1]) for number, found in enumerate(_IN_CODE.finditer(code)))
    yield "migrations.pending", "SELECT name, sha256 FROM schema_migration"
    yield from ((f"trigger.{name}", text) for name, text in _TRIGGERS.items())
    for sealed in SEALED:
        names = {"table": sealed.table, "column": sealed.column, "type": sealed.id_type}
        yield f"rotation.{sealed.table}", WRITE.format(**names).strip()


class Judge:
    """Asks PostgreSQL what the application's role may run, in one transaction that is rolled back."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._texts = dict(statements())
        connection.execute(
            SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(_ROLE)
        )

    def tables(self) -> list[str]:
        """Returns the tables and views of the schema."""
        rows = self._connection.execute(_TABLES).fetchall()
        return [name for (name,) in rows]

    def needs(self) -> dict[str, tuple[str, ...]]:
        """Returns the privileges that the statements need, by table."""
        return {table: tuple(p for p in PRIVILEGES if self._is_missed(table, p)) for table in self.tables()}

    def _is_missed(self, table: str, privilege: str) -> bool:
        change = (SQL(privilege), Identifier(table), _ROLE)
        self._connection.execute(SQL("REVOKE {} ON {} FROM {}").format(*change))
        about_it = (text for text in self._texts.values() if re.search(rf"\b{table}\b", text))
        missed = not all(map(self._allows, about_it))
        self._connection.execute(SQL("GRANT {} ON {} TO {}").format(*change))
        return missed

    def _allows(self, text: str) -> bool:
        try:
            with _as_application(self._connection):
                self._run(text if text.startswith("LOCK") else f"EXPLAIN {text}")
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True

    def _run(self, text: str) -> None:
        values = {name: _MOMENT if _IS_MOMENT.search(name) else None for name in _PARAMETER.findall(text)}
        positional = [None] * len(re.findall(r"%s", text))
        with psycopg.ClientCursor(self._connection) as cursor:
            cursor.execute(text.encode(), values or positional)


@contextmanager
def _as_application(connection: Connection[Any]) -> Iterator[None]:
    """The application's role, until the block ends. What fails in the block is undone."""
    with connection.transaction():
        connection.execute(SQL("SET LOCAL ROLE {}").format(_ROLE))
        yield
        connection.execute("RESET ROLE")


_ROLE: Final = Identifier(APPLICATION)
_TABLES: Final = """
SELECT relname::text FROM pg_class
WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace ORDER BY relname
"""


def main() -> None:
    with running_cluster() as cluster, cluster.fresh_database() as dsn, psycopg.connect(dsn) as connection:
        needs = Judge(connection).needs()
        connection.rollback()
    rows = (f"{table} = {json.dumps(privileges)}\n" for table, privileges in needs.items())
    before, heading, _ = GRANTS.read_text().partition("[tables]\n")
    GRANTS.write_text(before + heading + "".join(rows))


if __name__ == "__main__":
    main()
