"""Named statements, and the column lists that several of them share."""

from __future__ import annotations

import pytest

from clearwindow.postgres import queries
from clearwindow.postgres.queries import Queries, Relation


def test_column_list_replaces_its_name_in_every_statement() -> None:
    statements = Queries("clearwindow.network")
    for name in ("find_connection", "lock_connection", "list_connections"):
        assert "refused_reason" in statements[name]
    for statement in statements.values():
        assert "_columns}" not in statement


def test_column_list_is_no_statement() -> None:
    statements = Queries("clearwindow.network")
    assert "connection_columns" not in statements.names()
    with pytest.raises(LookupError, match="no statement named connection_columns"):
        statements["connection_columns"]


def test_given_rows_take_the_place_of_a_relation_that_names_shared_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "-- columns: two\na, b\n\n-- relation: rows\nSELECT {two} FROM t WHERE false\n\n"
        "-- name: take\nWITH x AS ({rows}) SELECT"
    )
    monkeypatch.setattr(queries, "_load", lambda package: queries._parsed(text, package))
    statements = Queries("clearwindow.none")
    assert statements["take"] == "WITH x AS (SELECT a, b FROM t WHERE false) SELECT"
    assert statements.over("take", rows=Relation("SELECT 1", {})) == "WITH x AS (SELECT 1) SELECT"
