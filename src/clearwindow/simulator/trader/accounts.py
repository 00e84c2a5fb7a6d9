"""Where a trader trades: its connections, the market at each, and the funds that it keeps there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import uuid4

from clearwindow.client import AsyncClient, ServerError, UnprocessableError
from clearwindow.client.answers.network import Connection
from clearwindow.sandbox.market import Currency, Market
from clearwindow.sandbox.trader.reports import Reports

_REFILL_SHARE: Final = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class TradingAccount:
    """One connection, with the trades that are made on it."""

    connection: Connection
    market: Market

    @property
    def id(self) -> str:
        return self.connection.id


class TradingAccounts:
    """All connections of one trader, by their ids."""

    def __init__(self, name: str, client: AsyncClient, seed: str, worth: Decimal, reports: Reports) -> None:
        """Knows none yet.

        Args:
            name: the trader's.
            client: acts for the trader.
            seed: of the market; the exchange must have the same.
            worth: how much of each currency to allocate on each connection, in dollars at the market's prices.
            reports: hears of what is allocated.
        """
        self._name = name
        self._client = client
        self._seed = seed
        self._worth = worth
        self._reports = reports
        self._markets: dict[str, Market] = {}
        self._by_id: dict[str, TradingAccount] = {}

    async def learn(self) -> None:
        """Reads which connections there are, and what their exchanges trade."""
        found = [connection async for connection in self._client.connections.list()]
        unknown = {connection.partner_id for connection in found} - self._markets.keys()
        if unknown:
            supported = await self._client.supported_currencies(sorted(unknown))
            for partner_id, currencies in supported.supported_currencies.items():
                names = {
                    name: currency.ofc_currency
                    for currency in currencies
                    if currency.ofc_currency is not None
                    for name in currency.partner_names
                }
                self._markets[partner_id] = Market.of(self._seed, names)
        self._by_id = {
            connection.id: TradingAccount(connection, self._markets[connection.partner_id]) for connection in found
        }

    def of_partner(self, partner_id: str) -> dict[str, TradingAccount]:
        """Those at one exchange, by their network accounts, which is how transfers name them."""
        return {
            account.connection.network_account_id: account
            for account in self._by_id.values()
            if account.connection.partner_id == partner_id
        }

    async def fill_up(self) -> None:
        """Allocates what is missing, so that the exchanges can settle.

        A currency is filled up when less than half is there; what is on its way counts as there.
        """
        balances = await self._client.balances()
        coming = {
            (allocation.connection_id, allocation.amount.currency): allocation.amount.quantity
            async for allocation in self._client.allocations.list(statuses=["reserved"], types=["allocation"])
        }
        free = {name: balance.available for name, balance in balances.balances.items()}
        for account in self._by_id.values():
            if not account.connection.active:
                continue
            there = balances.network_balances.get(account.id)
            for currency in account.market.currencies:
                name = currency.network_name
                held = there.balances.get(name) if there is not None else None
                has = (held.available + held.held if held is not None else 0) + coming.get((account.id, name), 0)
                wanted = self._base_units(currency)
                if has < wanted * _REFILL_SHARE:
                    quantity = min(wanted - has, free.get(name, 0))
                    free[name] = free.get(name, 0) - quantity
                    await self._allocate(account, name, quantity)

    def _base_units(self, currency: Currency) -> int:
        return int((self._worth / currency.dollars).scaleb(currency.decimals))

    async def _allocate(self, account: TradingAccount, currency: str, quantity: int) -> None:
        if quantity <= 0:
            self._reports.say(self._name, "short", connection=account.id, currency=currency)
            return
        try:
            made = await self._client.allocations.allocate(
                account.id, currency=currency, quantity=quantity, client_external_id=uuid4().hex
            )
        except UnprocessableError as error:
            status = f"refused: {error.error}"
        except ServerError as error:
            if error.allocation is None:
                raise
            # The network goes on asking the exchange; the funds are held until it has answered.
            status = error.allocation.status
        else:
            status = made.status
        self._reports.say(
            self._name, "allocated", connection=account.id, currency=currency, quantity=quantity, status=status
        )
