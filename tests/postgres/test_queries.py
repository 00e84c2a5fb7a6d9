"""Named statements, and the column lists that several of them share."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_given_rows_take_the_place_of_a_relation_that_names_shared_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = tmp_path / "room_for_queries"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "queries.sql").write_text(
        "-- columns: two\na, b\n\n-- relation: rows\nSELECT {two} FROM t WHERE false\n\n"
        "-- name: take\nWITH x AS ({rows}) SELECT",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    statements = Queries("room_for_queries")
    assert statements["take"] == "WITH x AS (SELECT a, b FROM t WHERE false) SELECT"
    assert statements.over("take", rows=Relation("SELECT 1", {})) == "WITH x AS (SELECT 1) SELECT"
