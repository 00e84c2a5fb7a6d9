"""Named statements, and the column lists that several of them share."""

from __future__ import annotations

import pytest

from clearwindow.postgres.queries import Queries


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
