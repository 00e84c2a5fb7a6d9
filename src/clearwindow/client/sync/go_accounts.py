# Made from ../aio by `make sdk`: change it there.
"""An enterprise's own Go Accounts."""

from __future__ import annotations

from clearwindow.client.answers.liquidity import AccountMovableFunds
from clearwindow.client.answers.network import OwnGoAccount
from clearwindow.client.calls import value_of, values_of
from clearwindow.client.sync.desk import Desk
from clearwindow.client.text import fields
from clearwindow.signing.models import Operation


class GoAccounts:
    """What the owner of Go Accounts may read, and change by a signed request."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def movable_funds(self, go_account_id: str) -> tuple[AccountMovableFunds, ...]:
        """Returns by currency how much can be withdrawn now, and why not more."""
        path = self._desk.path("/go-accounts/{}/movable-funds", go_account_id)
        return self._desk.get(path, values_of(AccountMovableFunds, "movableFunds"))

    def require_intent(self, go_account_id: str, *, nonce: str | None = None) -> OwnGoAccount:
        """Requires from now on that the account's payloads say what they are for. Only operators take it back."""
        path = self._desk.path("/go-accounts/{}/require-intent", go_account_id)
        asked = fields(require_intent=True, nonce=self._desk.nonce(nonce))
        return self._desk.signed(
            "POST",
            path,
            value_of(OwnGoAccount, "goAccount"),
            asked,
            Operation.ACCOUNT_REQUIRE_INTENT,
            goAccountId=go_account_id,
        )
