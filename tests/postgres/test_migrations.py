"""Migrations are applied once, in order, all or none. A fresh schema equals an upgraded one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from clearwindow.postgres import migrations
from clearwindow.postgres.migrations import Migration, MigrationError, all_migrations, migrate, pending_migrations
from tests.support.databases import TestCluster

SCHEMA = """
SELECT 'column', table_name || '.' || column_name,
       concat_ws(' ', data_type, domain_name, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL
SELECT 'option', relname, array_to_string(reloptions, ',') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty(cluster: TestCluster) -> Iterator[str]:
    with cluster.fresh_database(template="template0") as dsn:
        yield dsn


def schema(dsn: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(SCHEMA).fetchall()


def test_schema_upgraded_step_by_step_equals_a_fresh_one(
    empty: str, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = all_migrations()
    for count in range(1, len(every) + 1):
        monkeypatch.setattr(migrations, "all_migrations", lambda count=count: every[:count])
        assert migrate(empty) == [every[count - 1].name]
    assert schema(empty) == schema(dsn)
    assert len(schema(dsn)) > 100


def test_migrating_again_does_nothing(dsn: str) -> None:
    assert pending_migrations(dsn) == []
    assert migrate(dsn) == []


def test_all_migrations_are_pending_in_an_empty_database(empty: str) -> None:
    assert pending_migrations(empty) == [migration.name for migration in all_migrations()]


def test_processes_that_start_together_migrate_once(empty: str) -> None:
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrate(empty))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, applied)) == [0, 0, 0, 0, 0, len(all_migrations())]


def test_failing_migration_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [*all_migrations(), Migration("9999_broken", "CREATE TABLE half (id integer); SELECT 1 / 0;")]
    monkeypatch.setattr(migrations, "all_migrations", lambda: broken)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty)
    assert schema(empty) == []


def test_newer_database_is_refused(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_later', 'x')")
    with pytest.raises(MigrationError, match="9999_later"):
        migrate(dsn)


def test_changed_migration_is_refused(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE schema_migration SET sha256 = 'x' WHERE name = '0002_accounts'")
    with pytest.raises(MigrationError, match="0002_accounts"):
        migrate(dsn)
