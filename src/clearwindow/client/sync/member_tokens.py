# Made from ../aio by `make sdk`: change it there.
"""A member's tokens. Administrators of an enterprise see and revoke those of all its users."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.people import ListedToken
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.list_filters import MemberTokenFilters
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id


class MemberTokens:
    """Tokens of the enterprise, without their values."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[MemberTokenFilters]) -> Pages[ListedToken]:
        """Lists tokens, newest first."""
        return self._desk.pages(self._desk.path("/tokens"), "tokens", ListedToken, filters)

    def get(self, token_id: Id) -> ListedToken:
        """Returns one token."""
        return self._desk.get(self._desk.path("/tokens/{}", token_id), value_of(ListedToken, "token"))

    def revoke(self, token_id: Id) -> None:
        """Revokes a token at once. This cannot be undone."""
        self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)
