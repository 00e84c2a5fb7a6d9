"""A database that a test gets is as the migrations left it, whatever the test before did with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.support.databases import TestCluster
from tests.support.recycling import KEPT_SESSIONS

_ROWS = "SELECT (SELECT count(*) FROM enterprise), (SELECT count(*) FROM currency)"
_NEXT = "INSERT INTO currency (name, backing, decimals) VALUES ('ofcnew', 'new', 2) RETURNING number"


@pytest.fixture
def open_until_end() -> Iterator[ExitStack]:
    with suppress(psycopg.OperationalError), ExitStack() as stack:
        yield stack


def _used_by(cluster: TestCluster, use: Callable[[Connection[Any]], object]) -> str:
    with cluster.fresh_database() as dsn:
        with psycopg.connect(dsn) as connection:
            use(connection)
        return dsn


def _one(connection: Connection[Any], statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


def test_rows_are_gone_and_numbers_begin_anew(cluster: TestCluster) -> None:
    seen: list[tuple[Any, ...]] = []

    def use(connection: Connection[Any]) -> None:
        seen.append((*_one(connection, _ROWS), *_one(connection, _NEXT)))
        connection.execute(
            "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"
            " VALUES ('lune', 'Lune', 'trust', true, now(), now())"
        )

    assert _used_by(cluster, use) == _used_by(cluster, use)
    assert seen[0] == seen[1]
    assert seen[0][0] == 0


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE enterprise ADD COLUMN hue text",
        "DROP TRIGGER posting_append_only ON entry_posting",
        "ALTER TABLE enterprise DISABLE TRIGGER ALL",
        "REVOKE ALL ON enterprise FROM clearwindow_app",
        "CREATE FUNCTION hue() RETURNS int LANGUAGE sql RETURN 1",
    ],
)
def test_a_database_with_another_schema_is_not_used_again(cluster: TestCluster, change: str) -> None:
    changed = _used_by(cluster, lambda connection: connection.execute(change))
    assert _used_by(cluster, lambda _: None) != changed


def test_a_database_with_an_open_transaction_is_not_used_again(
    cluster: TestCluster, open_until_end: ExitStack
) -> None:
    with cluster.fresh_database() as dsn:
        left = open_until_end.enter_context(psycopg.connect(dsn, application_name=KEPT_SESSIONS))
        left.execute("LOCK TABLE enterprise")
    with cluster.fresh_database() as other:
        assert other != dsn
