"""Triggers check the references of large tables once for each statement, with the effect of foreign keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from tests.support.databases import TestCluster

ORPHANS = {
    "settlement_party_connection_fkey": (
        "INSERT INTO settlement_party VALUES (%(one)s, %(one)s, %(one)s, %(now)s, false)"
    ),
    "settlement_transfer_settlement_fkey": (
        "INSERT INTO settlement_transfer"
        " (id, partner_id, settlement_id, connection_id, network_account_id, currency, quantity, created_at)"
        " VALUES (%(one)s, %(one)s, %(one)s, %(one)s, %(one)s, 'ofcbtc', 1, %(now)s)"
    ),
    "settlement_transfer_closure_fkey": (
        "INSERT INTO settlement_transfer (id, partner_id, dispute_closure_id, connection_id, network_account_id,"
        " currency, quantity, created_at)"
        " VALUES (%(one)s, %(one)s, %(one)s, %(one)s, %(one)s, 'ofcbtc', 1, %(now)s)"
    ),
    "hold_balance_fkey": "INSERT INTO hold VALUES (%(one)s, %(one)s, 'settlement', %(one)s, 'ofcbtc', 1)",
    "event_enterprise_fkey": (
        "INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)"
        " VALUES (%(one)s, 'nobody', 'x', %(one)s, '{}', %(now)s)"
    ),
    "posting_entry_exists": ("INSERT INTO entry_posting VALUES (9, 0, 1, false, 1, -1)"),
}

KEYS = {
    "enterprise": "id",
    "balance": "account_id",
    "connection": "id",
    "settlement": "id",
    "settlement_party": "connection_id",
    "dispute_closure": "id",
}


@pytest.fixture(scope="module")
def connection(cluster: TestCluster) -> Iterator[psycopg.Connection]:
    with cluster.fresh_database() as dsn, psycopg.connect(dsn) as connection:
        yield connection


def refused_by(connection: psycopg.Connection, statement: str) -> str | None:
    with pytest.raises(psycopg.IntegrityError) as refused, connection.transaction():
        connection.execute(statement, {"one": uuid4(), "now": datetime(2026, 1, 5, tzinfo=UTC)})
    return refused.value.diag.constraint_name


@pytest.mark.parametrize("constraint", ORPHANS)
def test_row_with_a_missing_reference_is_refused(connection: psycopg.Connection, constraint: str) -> None:
    assert refused_by(connection, ORPHANS[constraint]) == constraint


@pytest.mark.parametrize("table", KEYS)
def test_referenced_row_cannot_be_removed_or_renamed(connection: psycopg.Connection, table: str) -> None:
    assert refused_by(connection, f"DELETE FROM {table}") == f"{table}_kept"  # noqa: S608 - names of ours
    key = KEYS[table]
    assert refused_by(connection, f"UPDATE {table} SET {key} = {key}") == f"{table}_kept"  # noqa: S608 - the same
