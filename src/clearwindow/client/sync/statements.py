# Made from ../aio by `make sdk`: change it there.
"""Statements of accounts: opening, entries with their causes, closing, and what is held and why."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.statements import Statement, StatementEntry
from clearwindow.client.calls import value_of
from clearwindow.client.filters import StatementEntryFilters, StatementPeriod
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, segment


class Statements:
    """The enterprise's accounts: its Go Accounts, and the network accounts of its connections."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get(self, account_id: Id, **period: Unpack[StatementPeriod]) -> Statement:
        """Returns the balances at both ends of a period, and what is held if it goes up to now."""
        path = self._desk.path("/accounts/{}/statement", account_id)
        return self._desk.get(path, value_of(Statement, "statement"), period)

    def entries(self, account_id: Id, **filters: Unpack[StatementEntryFilters]) -> Pages[StatementEntry]:
        """Lists what entries changed of the account, oldest first."""
        path = self._desk.path("/accounts/{}/statement/entries", account_id)
        return self._desk.pages(path, "entries", StatementEntry, filters)


class OperatorStatements:
    """The accounts of all enterprises."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def get(self, account_id: Id, **period: Unpack[StatementPeriod]) -> Statement:
        """Returns the balances at both ends of a period, and what is held if it goes up to now."""
        path = self._desk.path("/accounts/{}/statement", account_id)
        return self._desk.get(path, value_of(Statement, "statement"), period)

    def entries(self, account_id: Id, **filters: Unpack[StatementEntryFilters]) -> Pages[StatementEntry]:
        """Lists what entries changed of the account, oldest first."""
        path = f"/accounts/{segment(account_id)}/statement/entries"
        return self._desk.pages(path, "entries", StatementEntry, filters)
