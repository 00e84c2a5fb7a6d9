"""Compares the events of a test with their catalogue, and says who owns those of a settlement. Protocol §9."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import psycopg

from clearwindow.events import catalogue
from clearwindow.events.models import EventType

_OWNERS: Final = """
    SELECT owner, type, count(*) FROM (
        SELECT enterprise_id AS owner, type FROM event WHERE subject_id = %(id)s
        UNION ALL
        SELECT owner, type FROM event CROSS JOIN (
            SELECT DISTINCT client.enterprise_id AS owner
            FROM settlement_party
            JOIN connection ON connection.id = connection_id
            JOIN client ON client.id = client_id
            WHERE settlement_id = %(id)s
        ) AS client_of_party
        WHERE subject_id = %(id)s AND clients > 0
    ) AS owned GROUP BY 1, 2"""


def events_of_settlement(connection: psycopg.Connection, settlement_id: UUID) -> set[tuple[str, str, int]]:
    """Returns how often each enterprise sees each type of event of the settlement."""
    return set(connection.execute(_OWNERS, {"id": settlement_id}).fetchall())


def assert_events_documented(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        recorded = connection.execute("SELECT type, payload FROM event").fetchall()
    found = {problem for kind, payload in recorded for problem in catalogue.problems(EventType(kind), payload)}
    assert not found, sorted(found)
