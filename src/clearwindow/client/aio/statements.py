"""Statements of accounts: opening, entries with their causes, closing, and what is held and why."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.statements import Statement, StatementEntry
from clearwindow.client.calls import value_of
from clearwindow.client.filters import StatementEntryFilters, StatementPeriod
from clearwindow.client.text import Id, segment


class AsyncStatements:
    """The enterprise's accounts: its Go Accounts, and the network accounts of its connections."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    async def get(self, account_id: Id, **period: Unpack[StatementPeriod]) -> Statement:
        """Returns the balances at both ends of a period, and what is held if it goes up to now."""
        path = self._desk.path("/accounts/{}/statement", account_id)
        return await self._desk.get(path, value_of(Statement, "statement"), period)

    def entries(self, account_id: Id, **filters: Unpack[StatementEntryFilters]) -> AsyncPages[StatementEntry]:
        """Lists what entries changed of the account, oldest first."""
        path = self._desk.path("/accounts/{}/statement/entries", account_id)
        return self._desk.pages(path, "entries", StatementEntry, filters)


class AsyncOperatorStatements:
    """The accounts of all enterprises."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    async def get(self, account_id: Id, **period: Unpack[StatementPeriod]) -> Statement:
        """Returns the balances at both ends of a period, and what is held if it goes up to now."""
        path = self._desk.path("/accounts/{}/statement", account_id)
        return await self._desk.get(path, value_of(Statement, "statement"), period)

    def entries(self, account_id: Id, **filters: Unpack[StatementEntryFilters]) -> AsyncPages[StatementEntry]:
        """Lists what entries changed of the account, oldest first."""
        path = f"/accounts/{segment(account_id)}/statement/entries"
        return self._desk.pages(path, "entries", StatementEntry, filters)
