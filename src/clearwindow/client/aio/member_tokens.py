"""A member's tokens. Administrators of an enterprise see and revoke those of all its users."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.people import ListedToken
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.list_filters import MemberTokenFilters
from clearwindow.client.text import Id


class AsyncMemberTokens:
    """Tokens of the enterprise, without their values."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[MemberTokenFilters]) -> AsyncPages[ListedToken]:
        """Lists tokens, newest first."""
        return self._desk.pages(self._desk.path("/tokens"), "tokens", ListedToken, filters)

    async def get(self, token_id: Id) -> ListedToken:
        """Returns one token."""
        return await self._desk.get(self._desk.path("/tokens/{}", token_id), value_of(ListedToken, "token"))

    async def revoke(self, token_id: Id) -> None:
        """Revokes a token at once. This cannot be undone."""
        await self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)
