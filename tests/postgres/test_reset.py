"""Only a sandbox's database is ever emptied, whoever asks for it."""

from __future__ import annotations

import psycopg
import pytest

from clearwindow.database.emptying import empty
from tests.support.operators import OperatorClient


def test_a_database_without_the_mark_is_not_emptied(dsn: str, operator: OperatorClient) -> None:
    operator.post("/enterprises", {"id": "meridian", "name": "Meridian", "licensed": True})
    with pytest.raises(LookupError, match="marked as a sandbox"), psycopg.connect(dsn) as connection:
        empty(connection)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM enterprise").fetchall() == [(1,)]
