"""What a network of a given size is made of: names and amounts, which follow from a seed. Pure.

Keys and tokens are no part of it: they are random, so that nobody who knows the seed can act for anybody.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CURRENCIES: Final[Mapping[str, str]] = {"BTC": "ofcbtc", "USDC": "ofcusdc"}
"""What exchanges call the currencies, and what the network calls them."""

OPERATORS: Final = ("ada", "ben")
MOST_OF_A_KIND: Final = 999
_STEPS: Final[Mapping[str, Decimal]] = {"ofcbtc": Decimal("0.01"), "ofcusdc": Decimal(1_000)}
_FEWEST_STEPS: Final = 100
_MOST_STEPS: Final = 300
_OWN_FUNDS: Final = 2
"""Traders bring this many times what they allocate."""

_FLOAT: Final[Mapping[str, Decimal]] = {"ofcbtc": Decimal("0.5"), "ofcusdc": Decimal(50_000)}
"""What an exchange has of its own, to pay gains from before losses have come in."""

Funds = Mapping[str, Decimal]
"""Per currency of the network, in whole units."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How long clients may dispute, and how long exchanges may then take to fund, in minutes."""

    dispute_minutes: float = 30
    top_up_minutes: float = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """A network to be made.

    Attributes:
        callback_urls: where the endpoints of the exchanges are, in their order; those without one, if it is
            shorter, say yes to everything.
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
        """The exchange's own endpoints, if it has any."""
        return dict(zip(self.exchange_names, self.callback_urls, strict=False)).get(exchange)

    def allocation(self, trader: str, exchange: str) -> Funds:
        """What the trader allocates to the exchange at first."""
        chosen = random.Random(f"{self.seed} {trader} {exchange}")  # noqa: S311 - to be the same again
        return {currency: step * chosen.randint(_FEWEST_STEPS, _MOST_STEPS) for currency, step in _STEPS.items()}

    def deposit(self, trader: str) -> Funds:
        """What the trader brings."""
        return _scaled(_sum(self.allocation(trader, exchange) for exchange in self.exchange_names), _OWN_FUNDS)

    def exchange_float(self) -> Funds:
        """What each exchange brings."""
        return _FLOAT


def connection_name(trader: str, exchange: str) -> str:
    return f"{trader} at {exchange}"


def base_units(amount: Decimal, decimals: int) -> int:
    """Whole units of a currency as the wire counts them.

    Raises:
        ValueError: finer than the currency is counted in.
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
