"""Amounts as people write and read them: ``1.5 BTC``, always with their unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_AMOUNT: Final = re.compile(r"([+-]?)([0-9]{1,78})(?:\.([0-9]{1,78}))?\s*(base)?\s*([A-Za-z][^\s]*)?")
_MOST_DIGITS: Final = 78
_COMMA: Final = re.compile(r"[0-9],[0-9]")
_OUR_PREFIX: Final = "ofc"
BASE: Final = "base"


class AmountError(ValueError):
    """A text is no amount. The message says how to write it."""


@dataclass(frozen=True, slots=True)
class Coin:
    """A currency of the network, and the names that a partner has for it."""

    name: str
    decimals: int
    partner_names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name.removeprefix(_OUR_PREFIX).upper()


class Coins:
    """The currencies of the network, as one enterprise names them."""

    def __init__(self, coins: Iterable[Coin], amount_unit: str | None = None) -> None:
        self.amount_unit = amount_unit
        self._ours: Mapping[str, Coin] = {coin.name: coin for coin in coins}
        self._labels = {coin.label: coin for coin in self._ours.values()}
        self._theirs = {name: coin for coin in self._ours.values() for name in coin.partner_names}

    def text(self, name: str, quantity: int) -> str:
        """Returns base units of one of our currencies as coins."""
        coin = self._ours.get(name)
        return f"{quantity} base {name}" if coin is None else f"{digits(quantity, coin.decimals)} {coin.label}"

    def theirs_text(self, name: str, quantity: int) -> str:
        """Returns base units of a currency under the partner's own name."""
        coin = self._theirs.get(name)
        return f"{quantity} base {name}" if coin is None else f"{digits(quantity, coin.decimals)} {name}"

    def event_text(self, name: str, quantity: str) -> str:
        """Returns an amount of an event: of ours in base units, of a partner's in its own name and unit."""
        if name in self._theirs and name not in self._ours:
            return f"{quantity} base {name}" if self.amount_unit == BASE else f"{quantity} {name}"
        try:
            return self.text(name, int(quantity))
        except ValueError:
            return f"{quantity} {name}"

    def find(self, name: str) -> Coin:
        """Returns the currency with this name or label.

        Raises:
            AmountError: there is none.
        """
        found = self._ours.get(name) or self._labels.get(name.upper())
        if found is None:
            known = ", ".join(sorted(self._labels)[:12])
            raise AmountError(f"{name!r} is no currency of this network. It has {known} and others")
        return found

    def theirs(self, name: str) -> Coin:
        """Returns the currency that the partner calls so.

        Raises:
            AmountError: it calls none so.
        """
        found = self._theirs.get(name)
        if found is None:
            known = ", ".join(sorted(self._theirs)) or "none"
            raise AmountError(f"{name!r} is no currency name of this partner: it has {known}")
        return found

    def parse(self, text: str) -> tuple[Coin, int]:
        """Reads ``1.5 BTC``, or ``150000000 base ofcbtc``, as base units.

        Raises:
            AmountError: it has no unit, too many decimals, or is no amount at all.
        """
        sign, whole, fraction, base, unit = _parts(text)
        if not unit:
            raise AmountError(f"{text!r} has no unit: write it with its currency, such as '1.5 BTC'")
        coin = self.find(unit)
        return coin, base_units(sign, whole, fraction, 0 if base else coin.decimals, text)


def _parts(text: str) -> tuple[str, str, str, str, str]:
    shown = text if len(text) <= _MOST_DIGITS else f"{text[:_MOST_DIGITS]}…"
    if _COMMA.search(text):
        raise AmountError(f"{shown!r} has a comma: write decimals with a point and no separators, such as 1234.5")
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise AmountError(f"{shown!r} is no amount: write digits with a point and the currency, such as '1.5 BTC'")
    sign, whole, fraction, base, unit = (part or "" for part in found.groups())
    return sign, whole, fraction, base, unit


def parse_number(text: str, decimals: int) -> int:
    """Reads a number of coins, whose currency stands elsewhere, as base units."""
    sign, whole, fraction, base, unit = _parts(text)
    if base or unit:
        raise AmountError(f"{text!r} must be a number: its currency stands in a column of its own")
    return base_units(sign, whole, fraction, decimals, text)


def base_units(sign: str, whole: str, fraction: str, decimals: int, text: str) -> int:
    """Returns a number as base units."""
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        raise AmountError(f"{text!r} has more than {decimals} decimals")
    quantity = int(whole + fraction.ljust(decimals, "0"))
    if len(str(quantity)) > _MOST_DIGITS:
        raise AmountError(f"{text!r} is larger than any amount of the network ({_MOST_DIGITS} digits)")
    return -quantity if sign == "-" else quantity


def digits(quantity: int, decimals: int) -> str:
    """Returns base units as coins: ``digits(-150_000_000, 8) == "-1.5"``."""
    padded = str(abs(quantity)).rjust(decimals + 1, "0")
    whole, fraction = padded[: len(padded) - decimals], padded[len(padded) - decimals :].rstrip("0")
    return f"{'-' if quantity < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"
