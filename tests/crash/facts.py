"""What is in the database: how many rows of each kind, and each balance. And due work, made due now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg import sql

from tests.crash.servers import connected, wait_until

FINISH_SECONDS: Final = 60
_HASTEN_SECONDS: Final = 0.1
"""Between two looks: what was hastened needs a moment."""

_KINDS_OF_ROWS: Final = ("kind", "type", "status", "state", "action", "cause_kind", "operation", "stage")
_NOT_COMPARED: Final = {
    # Every attempt is a row, and one that a kill cut off is made again.
    "webhook_attempt",
}
_COLUMNS: Final = """
    SELECT name.relname, coalesce(array_agg(attname ORDER BY attname) FILTER (WHERE attname = ANY(%s)), '{}')
    FROM pg_class AS name JOIN pg_attribute ON attrelid = name.oid AND attnum > 0 AND NOT attisdropped
    WHERE name.relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
    GROUP BY 1 ORDER BY 1"""
_BALANCES: Final = "SELECT account_id::text, currency, available::text, held::text FROM balance"
# What a transaction has locked is under way, and needs no haste.
_HASTEN: Final = (
    # Deadlines never change, and other columns only in certain ways: the triggers that say so are off.
    "SET LOCAL session_replication_role = replica",
    """UPDATE settlement
       SET dispute_deadline_at = CASE WHEN dispute_deadline_at > now() THEN date_trunc('milliseconds', now())
                                      ELSE dispute_deadline_at END,
           top_up_deadline_at = CASE WHEN top_up_deadline_at > now() THEN date_trunc('milliseconds', now())
                                     ELSE top_up_deadline_at END,
           due_at = date_trunc('milliseconds', now())
       WHERE id IN (SELECT id FROM settlement WHERE due_at > now() FOR UPDATE SKIP LOCKED)""",
    """UPDATE settlement_party SET dispute_deadline_at = settlement.dispute_deadline_at
       FROM settlement WHERE settlement.id = settlement_id
         AND settlement.dispute_deadline_at <= now()
         AND (settlement_id, connection_id) IN (SELECT settlement_id, connection_id FROM settlement_party
                                                WHERE dispute_deadline_at > now() FOR UPDATE SKIP LOCKED)""",
    """UPDATE chain_transaction SET confirms_at = date_trunc('milliseconds', now())
       WHERE id IN (SELECT id FROM chain_transaction WHERE state = 'pending' AND confirms_at > now()
                    FOR UPDATE SKIP LOCKED)""",
    """UPDATE onchain_deposit SET due_at = date_trunc('milliseconds', now())
       WHERE id IN (SELECT id FROM onchain_deposit WHERE due_at > now() FOR UPDATE SKIP LOCKED)""",
    """UPDATE partner_call
       SET due_at = CASE WHEN due_at > now() THEN date_trunc('milliseconds', now()) ELSE due_at END,
           leased_until = NULL
       WHERE id IN (SELECT id FROM partner_call WHERE due_at > now() OR leased_until > now()
                    FOR UPDATE SKIP LOCKED)""",
    """UPDATE webhook_endpoint
       SET lease_id = NULL, leased_until = NULL,
           retry_at = CASE WHEN retry_at > now() THEN date_trunc('milliseconds', now()) ELSE retry_at END
       WHERE id IN (SELECT id FROM webhook_endpoint WHERE leased_until > now() OR retry_at > now()
                    FOR UPDATE SKIP LOCKED)""",
)
_LEFT: Final = """
    SELECT (SELECT count(*) FROM settlement WHERE due_at IS NOT NULL)
         + (SELECT count(*) FROM onchain_deposit WHERE due_at IS NOT NULL)
         + (SELECT count(*) FROM partner_call WHERE due_at IS NOT NULL)"""
_TO_TELL: Final = """
    SELECT (SELECT count(*) FROM event_to_deliver) + (SELECT count(*) FROM event_to_tell)
         + (SELECT count(*) FROM webhook_delivery WHERE status = 'owed')"""

Facts = Mapping[tuple[str, ...], int]


def facts(connection: psycopg.Connection) -> Facts:
    """Returns the number of rows of each kind of each table, and the parts of each balance."""
    found: Counter[tuple[str, ...]] = Counter()
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = connection.execute(_COLUMNS, [list(_KINDS_OF_ROWS)]).fetchall()
        for table, columns in tables:
            if table not in _NOT_COMPARED:
                for *kinds, number in connection.execute(_counted(table, columns)):
                    found[table, *map(str, kinds)] = number
        for account, currency, available, held in connection.execute(_BALANCES):
            found["balance", account, currency, "available"] = int(available)
            found["balance", account, currency, "held"] = int(held)
    return found


def difference(before: Facts, after: Facts) -> dict[tuple[str, ...], int]:
    """Returns what has changed, and by how much."""
    changes = {key: after.get(key, 0) - before.get(key, 0) for key in before.keys() | after.keys()}
    return {key: change for key, change in sorted(changes.items()) if change}


def hasten(connection: psycopg.Connection) -> None:
    """Makes due now what falls due later, and takes back the leases of whoever may have died."""
    with connection.transaction():
        for statement in _HASTEN:
            connection.execute(statement)


def finish(dsn: str) -> None:
    """Hastens due work until nothing is left, and everybody was told."""
    with connected(dsn) as connection:

        def done() -> bool:
            hasten(connection)
            time.sleep(_HASTEN_SECONDS)
            return _number(connection, _LEFT) + _number(connection, _TO_TELL) == 0

        wait_until(done, FINISH_SECONDS, "due work did not end")


def wait_until_told(dsn: str) -> None:
    """Waits until all events were delivered."""
    with connected(dsn) as connection:

        def told() -> bool:
            return _number(connection, _TO_TELL) == 0

        wait_until(told, FINISH_SECONDS, "events were not delivered")


def _counted(table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    if not columns:
        return sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    return sql.SQL("SELECT {names}, count(*) FROM {table} GROUP BY {names}").format(
        names=names, table=sql.Identifier(table)
    )


def _number(connection: psycopg.Connection, statement: str) -> int:
    found = connection.execute(statement).fetchone()
    assert found is not None
    return int(found[0])
