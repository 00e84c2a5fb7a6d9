"""The trades of a connection, computed from a seed. Pure: the same arguments give the same trades.

A simulated exchange settles these trades. A simulated trader computes the same trades, and so finds wrong
settlements. Amounts are the client's: positive for a gain, negative for a loss.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import StrEnum
from typing import Final

_ROUND: Final = re.compile(r"(?P<prefix>.+)-round-(?P<number>[1-9][0-9]{0,8})", re.DOTALL)
_MOST_FILLS: Final = 3
_LEAST_DOLLARS: Final = 20
_MOST_DOLLARS: Final = 1_000
_PRICE_SPREAD: Final = Decimal("0.02")
_QUANTITY_PLACES: Final = 6
_PRICE_PLACES: Final = 4
_DRAW_BYTES: Final = 8
_ARITHMETIC: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Both sides must round in the same way, whatever their own decimal context is."""


@dataclass(frozen=True, slots=True)
class _Asset:
    """A currency of the market. ``is_money``: prices are quoted in it."""

    decimals: int
    dollars: Decimal
    is_money: bool = False


_ASSETS: Final[Mapping[str, _Asset]] = {
    "btc": _Asset(8, Decimal(60_000)),
    "eth": _Asset(18, Decimal(3_000)),
    "sol": _Asset(9, Decimal(150)),
    "xrp": _Asset(6, Decimal(2)),
    "ltc": _Asset(8, Decimal(80)),
    "doge": _Asset(8, Decimal("0.2")),
    "avaxc": _Asset(18, Decimal(25)),
    "trx": _Asset(6, Decimal("0.3")),
    "usdt": _Asset(6, Decimal(1), is_money=True),
    "usdc": _Asset(6, Decimal(1), is_money=True),
    "usd": _Asset(2, Decimal(1), is_money=True),
    "eur": _Asset(2, Decimal("1.1"), is_money=True),
    "gbp": _Asset(2, Decimal("1.3"), is_money=True),
    "sgd": _Asset(2, Decimal("0.75"), is_money=True),
}
"""By the network's name without ``ofc``, or ``ofct`` for test currencies. No other currency is traded."""


class Side(StrEnum):
    """The client's side of a trade."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency with the exchange's and the network's name."""

    name: str
    network_name: str
    decimals: int
    dollars: Decimal
    is_money: bool

    @property
    def smallest(self) -> Decimal:
        """One base unit."""
        return Decimal(1).scaleb(-self.decimals)

    def base_units(self, amount: Decimal) -> int:
        """Returns the amount in base units.

        Raises:
            ValueError: it has more decimals than the currency.
        """
        with localcontext(_ARITHMETIC):
            units = amount.scaleb(self.decimals)
        if units != units.to_integral_value():
            raise ValueError(f"{amount} {self.name} has more than {self.decimals} decimals")
        return int(units)


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of a client: ``quantity`` of ``base`` for ``price`` of ``quote`` each."""

    side: Side
    base: Currency
    quote: Currency
    quantity: Decimal
    price: Decimal

    @property
    def amounts(self) -> Mapping[str, Decimal]:
        """The client's gains and losses, by the exchange's names."""
        with localcontext(_ARITHMETIC):
            paid = (self.quantity * self.price).quantize(self.quote.smallest)
            sign = 1 if self.side is Side.BUY else -1
            return {self.base.name: sign * self.quantity, self.quote.name: -sign * paid}


@dataclass(frozen=True, slots=True)
class Market:
    """All trades with this seed in these currencies."""

    seed: str
    currencies: tuple[Currency, ...]

    @classmethod
    def of(cls, seed: str, names: Mapping[str, str]) -> Market:
        """Returns the market in an exchange's currencies.

        Args:
            seed: determines the trades.
            names: by the exchange's names, the network's names, such as ``BTC`` → ``ofcbtc``. Currencies without a
                price are left out. If a currency has several names, the first in the alphabet is used.
        """
        first_names: dict[str, str] = {}
        for name in sorted(names):
            first_names.setdefault(names[name], name)
        known = ((name, network_name, _asset(network_name)) for network_name, name in first_names.items())
        currencies = (
            Currency(name, network_name, asset.decimals, asset.dollars, asset.is_money)
            for name, network_name, asset in known
            if asset is not None
        )
        return cls(seed, tuple(sorted(currencies, key=lambda currency: currency.name)))

    @property
    def pairs(self) -> Sequence[tuple[Currency, Currency]]:
        """The traded pairs: each coin with each money."""
        return [(base, quote) for base in self._of(money=False) for quote in self._of(money=True)]

    def fills(self, connection_id: str, round_number: int) -> Sequence[Fill]:
        """Returns the trades on a connection in a round; none if there is no pair of currencies."""
        pairs = self.pairs
        if not pairs:
            return []
        chance = draws(self.seed, "fills", connection_id, str(round_number))
        with localcontext(_ARITHMETIC):
            return [_fill(pairs, chance) for _ in range(1 + next(chance) % _MOST_FILLS)]

    def net(self, connection_id: str, round_number: int) -> dict[str, Decimal]:
        """Returns the client's total gains and losses in a round, by the exchange's names, without zeros."""
        return net_of(self.fills(connection_id, round_number))

    def net_base_units(self, connection_id: str, round_number: int) -> dict[str, int]:
        """Returns the same by the network's names and in base units, as clients see transfers."""
        by_name = {currency.name: currency for currency in self.currencies}
        return {
            by_name[name].network_name: by_name[name].base_units(amount)
            for name, amount in self.net(connection_id, round_number).items()
        }

    def _of(self, *, money: bool) -> list[Currency]:
        return [currency for currency in self.currencies if currency.is_money is money]


def net_of(fills: Sequence[Fill]) -> dict[str, Decimal]:
    """Returns the sums of trades by currency, without zeros."""
    net: dict[str, Decimal] = {}
    with localcontext(_ARITHMETIC):
        for fill in fills:
            for name, amount in fill.amounts.items():
                net[name] = net.get(name, Decimal(0)) + amount
    return {name: amount for name, amount in net.items() if amount}


def external_id(prefix: str, round_number: int) -> str:
    """Returns the ``externalId`` of the settlement of a round."""
    if round_number < 1:
        raise ValueError("rounds count from 1")
    return f"{prefix}-round-{round_number}"


def round_of(settlement_external_id: str, prefix: str | None = None) -> int | None:
    """Returns the round of a settlement; None if its external id has another form or another prefix."""
    found = _ROUND.fullmatch(settlement_external_id)
    if found is None or (prefix is not None and found["prefix"] != prefix):
        return None
    return int(found["number"])


def draws(seed: str, *about: str) -> Iterator[int]:
    """Yields pseudo-random integers from 0 to 2⁶⁴-1, without end: the SHA-256 of the arguments and a counter."""
    prefix = "\n".join((seed, *about))
    number = 0
    while True:
        digest = hashlib.sha256(f"{prefix}\n{number}".encode()).digest()
        yield int.from_bytes(digest[:_DRAW_BYTES])
        number += 1


def _fill(pairs: Sequence[tuple[Currency, Currency]], chance: Iterator[int]) -> Fill:
    base, quote = pairs[next(chance) % len(pairs)]
    side = Side.BUY if next(chance) % 2 == 0 else Side.SELL
    dollars = _LEAST_DOLLARS + next(chance) % (_MOST_DOLLARS - _LEAST_DOLLARS + 1)
    # From -1 to 1 in steps of a thousandth.
    drift = Decimal(next(chance) % 2_001 - 1_000) / 1_000
    price = (base.dollars / quote.dollars * (1 + _PRICE_SPREAD * drift)).quantize(Decimal(1).scaleb(-_PRICE_PLACES))
    places = min(_QUANTITY_PLACES, base.decimals)
    quantity = (dollars / base.dollars).quantize(Decimal(1).scaleb(-places))
    return Fill(side, base, quote, quantity, price)


def _asset(network_name: str) -> _Asset | None:
    own = network_name.removeprefix("ofc")
    return _ASSETS.get(own) or (_ASSETS.get(own[1:]) if own.startswith("t") else None)
