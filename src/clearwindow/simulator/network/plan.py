"""The names and amounts of a network of a given size, which follow from a seed. Pure.

Keys and tokens are random and not part of it: knowing the seed lets nobody act for a member.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CURRENCIES: Final[Mapping[str, str]] = {"BTC": "ofcbtc", "USDC": "ofcusdc"}
"""The network's name of each currency, by the exchanges' name."""

OPERATORS: Final = ("ada", "ben")
MOST_OF_A_KIND: Final = 999
_STEPS: Final[Mapping[str, Decimal]] = {"ofcbtc": Decimal("0.01"), "ofcusdc": Decimal(1_000)}
_FEWEST_STEPS: Final = 100
_MOST_STEPS: Final = 300
_OWN_FUNDS: Final = 2
"""Traders deposit this many times what they allocate."""

_FLOAT: Final[Mapping[str, Decimal]] = {"ofcbtc": Decimal("0.5"), "ofcusdc": Decimal(50_000)}
"""What an exchange deposits, to pay gains before it has received losses."""

Funds = Mapping[str, Decimal]
"""Per currency of the network, in whole units."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How long clients may dispute, and how long exchanges may top up afterwards, in minutes."""

    dispute_minutes: float = 30
    top_up_minutes: float = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """A network to make.

    Attributes:
        callback_urls: the addresses of the exchanges' endpoints, in order. If there are fewer addresses than
            exchanges, the others have no endpoints and agree to everything.
    """

    exchanges: int
    traders: int
    seed: int
    callback_urls: tuple[str, ...] = ()
    windows: Windows = Windows()

    @property
    def exchange_names(self) -> list[str]:
        return [f"exchange-{number:03d}" for number in range(1, self.exchanges + 1)]

    @property
    def trader_names(self) -> list[str]:
        return [f"trader-{number:03d}" for number in range(1, self.traders + 1)]

    def callback_url(self, exchange: str) -> str | None:
        """Returns the address of the exchange's endpoints, if it has any."""
        return dict(zip(self.exchange_names, self.callback_urls, strict=False)).get(exchange)

    def allocation(self, trader: str, exchange: str) -> Funds:
        """Returns what the trader first allocates to the exchange."""
        chosen = random.Random(f"{self.seed} {trader} {exchange}")  # noqa: S311 - must be reproducible
        return {currency: step * chosen.randint(_FEWEST_STEPS, _MOST_STEPS) for currency, step in _STEPS.items()}

    def deposit(self, trader: str) -> Funds:
        """Returns what the trader deposits."""
        return _scaled(_sum(self.allocation(trader, exchange) for exchange in self.exchange_names), _OWN_FUNDS)

    def exchange_float(self) -> Funds:
        """Returns what each exchange deposits."""
        return _FLOAT


def connection_name(trader: str, exchange: str) -> str:
    return f"{trader} at {exchange}"


def base_units(amount: Decimal, decimals: int) -> int:
    """Converts whole units of a currency to base units.

    Raises:
        ValueError: the amount has more decimals than the currency.
    """
    scaled = amount.scaleb(decimals)
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than {decimals} decimals")
    return int(scaled)


def _sum(funds: Iterable[Funds]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for each in funds:
        for currency, amount in each.items():
            total[currency] = total.get(currency, Decimal(0)) + amount
    return total


def _scaled(funds: Funds, factor: int) -> Funds:
    return {currency: amount * factor for currency, amount in funds.items()}
