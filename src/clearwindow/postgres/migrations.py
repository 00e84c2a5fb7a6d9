"""Schema migrations: numbered files of plain SQL. Each is applied once, in order, under an advisory lock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg
import structlog
from psycopg.errors import Diagnostic

from clearwindow.postgres.address import connected
from clearwindow.postgres.grants import grant

log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger(__name__)

_LOCK_KEY = 0x636C6561727769  # "clearwi" as a number: any constant that nobody else uses

OTHERS_WAIT_SECONDS: Final = 600
"""How long a start waits while another process migrates."""
TABLES_WAIT_SECONDS: Final = 30
"""How long a migration waits for a table that others use. Then none is applied."""
_RAISED: Final = "00000"
_SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %s, true)"
_MAY_MIGRATE = """
SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('schema_migration')),
                has_schema_privilege(current_schema(), 'CREATE'))
"""


class MigrationError(RuntimeError):
    """This version cannot upgrade the database; the message says why."""


@dataclass(frozen=True)
class Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def all_migrations() -> list[Migration]:
    folder = files("clearwindow.postgres").joinpath("migrations")
    return [
        Migration(item.name.removesuffix(".sql"), item.read_text(encoding="utf-8"))
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".sql")
    ]


def migrate(dsn: str, application: str | None = None) -> list[str]:
    """Applies the missing migrations, all or none, and returns their names.

    Args:
        dsn: the database, as the role that owns its tables.
        application: the role that is given what the application needs, if it is another one.

    Raises:
        MigrationError: an applied migration differs from this version's, or this version does not know it.
    """
    with connected(dsn) as connection:
        connection.add_notice_handler(_tell_progress)
        # Another process may be migrating, which takes its time.
        connection.execute(_SET_LOCK_TIMEOUT, [f"{OTHERS_WAIT_SECONDS}s"])
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        # Whoever comes after us waits behind us for the lock of a table, so that we must not wait for long.
        connection.execute(_SET_LOCK_TIMEOUT, [f"{TABLES_WAIT_SECONDS}s"])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        pending = _pending(connection)
        for migration in pending:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
                (migration.name, migration.sha256),
            )
        if application is not None and application != role_on(connection):
            grant(connection, application)
    return [migration.name for migration in pending]


def _tell_progress(notice: Diagnostic) -> None:
    """Tells the log what a migration says with RAISE NOTICE, and nothing that PostgreSQL says by itself."""
    if notice.sqlstate == _RAISED:
        log.info("migration_progress", message=notice.message_primary)


def pending_migrations(dsn: str) -> list[str]:
    """Returns the names of the migrations that ``migrate`` would apply."""
    with connected(dsn) as connection:
        return pending_on(connection)


def role_of(dsn: str) -> str:
    """Returns the name of the role that the address leads to."""
    with connected(dsn) as connection:
        return role_on(connection)


def role_on(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT current_user::text").fetchone()
    return str(row[0]) if row else ""


def may_migrate(connection: psycopg.Connection) -> bool:
    """Returns whether the connection's role owns the tables, or may make the first ones."""
    return connection.execute(_MAY_MIGRATE).fetchone() == (True,)


def pending_on(connection: psycopg.Connection) -> list[str]:
    """Returns the same, read over an open connection.

    Raises:
        MigrationError: as for ``migrate``.
    """
    found = connection.execute("SELECT to_regclass('schema_migration')").fetchone()
    if found is None or found[0] is None:
        return [migration.name for migration in all_migrations()]
    return [migration.name for migration in _pending(connection)]


def _pending(connection: psycopg.Connection) -> list[Migration]:
    applied: dict[str, str] = dict(connection.execute("SELECT name, sha256 FROM schema_migration").fetchall())
    known = all_migrations()
    unknown = sorted(set(applied) - {migration.name for migration in known})
    if unknown:
        raise MigrationError(
            f"the database has migration {unknown[0]}, which this version does not know:"
            " run the newer version of Clearwindow that made it"
        )
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                f"migration {migration.name} was applied with another text than this version has:"
                " run the version of Clearwindow that applied it"
            )
    return [migration for migration in known if migration.name not in applied]
