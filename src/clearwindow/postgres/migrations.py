"""Schema migrations: plain numbered SQL, applied once each, in order, under an advisory lock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import psycopg

_LOCK_KEY = 0x636C6561727769  # "clearwi" as a number: any constant that nobody else uses


class MigrationError(RuntimeError):
    """The database is not in a state that this version can bring forward; the message says why."""


@dataclass(frozen=True)
class Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def all_migrations() -> list[Migration]:
    folder = files("clearwindow.database").joinpath("migrations")
    return [
        Migration(item.name.removesuffix(".sql"), item.read_text(encoding="utf-8"))
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".sql")
    ]


def migrate(dsn: str) -> list[str]:
    """Applies what is missing, all or nothing, and gives the names of what it applied.

    Raises:
        MigrationError: an applied migration differs from the one shipped here, or is unknown here.
    """
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
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
    return [migration.name for migration in pending]


def pending_migrations(dsn: str) -> list[str]:
    """The names of what ``migrate`` would apply, without applying it."""
    with psycopg.connect(dsn) as connection:
        return pending_on(connection)


def pending_on(connection: psycopg.Connection) -> list[str]:
    """The same over a connection that is there.

    Raises:
        MigrationError: the database has what this version does not know.
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
                f"migration {migration.name} was applied in another form than this version ships:"
                " restore the matching version of Clearwindow"
            )
    return [migration for migration in known if migration.name not in applied]
