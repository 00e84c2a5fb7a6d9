"""Only the database of a sandbox is ever emptied."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import IntegrityConstraintViolation

from clearwindow.postgres.reset import empty
from tests.support.operators import OperatorClient


def test_database_without_the_mark_is_not_emptied(dsn: str, operator: OperatorClient) -> None:
    operator.post("/enterprises", {"id": "meridian", "name": "Meridian", "licensed": True})
    with (
        pytest.raises(IntegrityConstraintViolation, match="marked as a sandbox"),
        psycopg.connect(dsn) as connection,
    ):
        empty(connection)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM enterprise").fetchall() == [(1,)]
