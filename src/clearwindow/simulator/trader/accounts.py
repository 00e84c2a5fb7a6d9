"""A trader's connections, the market of each, and the funds that it keeps allocated there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import uuid4

from clearwindow.client import AsyncClient, ServerError, UnprocessableError
from clearwindow.client.answers.network import Connection
from clearwindow.simulator.market import Currency, Market
from clearwindow.simulator.trader.reports import Reports

_REFILL_SHARE: Final = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class TradingAccount:
    """A connection and its market."""

    connection: Connection
    market: Market

    @property
    def id(self) -> str:
        return self.connection.id


class TradingAccounts:
    """All connections of one trader."""

    def __init__(self, name: str, client: AsyncClient, seed: str, worth: Decimal, reports: Reports) -> None:
        """Creates the accounts without reading the connections.

        Args:
            name: the trader's name.
            client: the trader's SDK client.
            seed: the seed of the market; the exchange must use the same.
            worth: the amount to allocate of each currency on each connection, in dollars at the market's prices.
            reports: gets a line for each allocation.
        """
        self._name = name
        self._client = client
        self._seed = seed
        self._worth = worth
        self._reports = reports
        self._markets: dict[str, Market] = {}
        self._by_id: dict[str, TradingAccount] = {}

    async def load_connections(self) -> None:
        """Reads the connections and the currencies of their exchanges."""
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
        """Returns the accounts at one exchange, by network account id, as transfers have it."""
        return {
            account.connection.network_account_id: account
            for account in self._by_id.values()
            if account.connection.partner_id == partner_id
        }

    async def replenish(self) -> None:
        """Allocates what is missing, so that the exchanges can settle.

        A currency is replenished when less than half is left. Reserved allocations count as allocated.
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
            self._reports.report(self._name, "short", connection=account.id, currency=currency)
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
            # The network keeps asking the exchange, and holds the funds until it has answered.
            status = error.allocation.status
        else:
            status = made.status
        self._reports.report(
            self._name, "allocated", connection=account.id, currency=currency, quantity=quantity, status=status
        )
