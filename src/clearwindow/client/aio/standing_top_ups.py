"""A partner's standing top-ups: its account gets what a settlement lacks from another of its Go Accounts."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.liquidity import StandingTopUp
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.filters import StandingTopUpFilters
from clearwindow.client.text import Id, fields
from clearwindow.signing.models import Operation


class AsyncStandingTopUps:
    """The standing top-ups of a partner."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    async def create(
        self, go_account_id: str, *, currency: str, per_settlement: int, nonce: str | None = None
    ) -> StandingTopUp:
        """Instructs that exactly what a settlement lacks of a currency comes from this Go Account.

        Args:
            go_account_id: another Go Account of the enterprise. One of its keys must sign.
            currency: our name of the currency. It has one such instruction.
            per_settlement: the most that comes for one settlement, in base units.
            nonce: a new one if omitted.

        Raises:
            ConflictError: the currency has an instruction already.
        """
        path = self._desk.path("/go-accounts/{}/standing-top-ups", go_account_id)
        asked = fields(currency=currency, per_settlement=str(per_settlement), nonce=self._desk.nonce(nonce))
        read, operation = value_of(StandingTopUp, "standingTopUp"), Operation.STANDING_TOP_UP_CREATE
        return await self._desk.signed("POST", path, read, asked, operation, goAccountId=go_account_id)

    def list(self, **filters: Unpack[StandingTopUpFilters]) -> AsyncPages[StandingTopUp]:
        """Lists the instructions, revoked ones too, the newest first."""
        path = self._desk.path("/partners/standing-top-ups")
        return self._desk.pages(path, "standingTopUps", StandingTopUp, filters)

    async def revoke(self, standing_top_up_id: Id) -> None:
        """Ends an instruction at once. It needs no signature."""
        path = self._desk.path("/partners/standing-top-ups/{}", standing_top_up_id)
        await self._desk.send("DELETE", path, nothing, repeatable=True)
