"""Statements: opening, entries and closing of one account over a period, and the whole of it as CSV."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.operations import Download
from clearwindow.console.routing import Pages, Visit
from clearwindow.statements.routes import list_entries, read_statement
from clearwindow.statements.schemas import StatementEntriesAnswer

pages: Final = Pages(for_operators=False)

_PERIOD: Final = ("createdOnOrAfter", "createdBefore")


@pages.shows("/statements/{account_id}")
def statement(visit: Visit) -> Response:
    desk, account_id = visit.desk, visit.path_ids["account_id"]
    period = {name: value for name, value in visit.filters(*_PERIOD).items() if name in _PERIOD}
    found = desk.read_with(read_statement, period, "v1AccountStatementGetRoute", account_id=account_id).statement
    entries = desk.listed(
        list_entries,
        visit.filters(*_PERIOD, "currencies"),
        "v1AccountStatementEntriesGetRoute",
        account_id=account_id,
    )
    return visit.show("members/statement.html", statement=found, entries=entries)


@pages.downloads("/statements/{account_id}/entries.csv", StatementEntriesAnswer)
def download(visit: Visit) -> Download:
    wanted = {name: value for name, value in visit.filters(*_PERIOD, "currencies").items() if name != "pageSize"}
    return Download(
        list_entries,
        "v1AccountStatementEntriesGetRoute",
        wanted,
        {"account_id": visit.path_ids["account_id"]},
    )
