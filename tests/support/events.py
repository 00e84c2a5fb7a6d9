"""Compares the events of a test with their catalogue, and says who owns those of a settlement. Protocol §9."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final
from uuid import UUID

import psycopg
from openapi_schema_validator import OAS31Validator

from clearwindow.events import catalogue
from clearwindow.events.data_schemas import data_schema
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
    for kind, payload in _samples(recorded):
        found.update(_wrong_values(EventType(kind), payload))
    assert not found, sorted(found)


def _samples(recorded: Sequence[tuple[str, dict[str, object]]]) -> Iterable[tuple[str, dict[str, object]]]:
    """Returns an event of each type and shape: tests record thousands that differ in nothing but ids."""
    shapes = {
        (kind, tuple((name, type(value).__name__) for name, value in payload.items())): (kind, payload)
        for kind, payload in recorded
    }
    return shapes.values()


@cache
def _validator(kind: EventType) -> OAS31Validator:
    return OAS31Validator(data_schema(kind), format_checker=OAS31Validator.FORMAT_CHECKER)


def _wrong_values(kind: EventType, payload: dict[str, object]) -> Iterator[str]:
    for error in _validator(kind).iter_errors(payload):
        yield f"{kind}: {'.'.join(map(str, error.path))}: {error.message}"
