"""The catalogue of events: every event that a test makes is held against it. Protocol §9."""

from __future__ import annotations

import psycopg

from clearwindow.notices import catalogue
from clearwindow.notices.values import EventType


def assert_events_documented(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        recorded = connection.execute("SELECT type, payload FROM event").fetchall()
    found = {problem for kind, payload in recorded for problem in catalogue.problems(EventType(kind), payload)}
    assert not found, sorted(found)
