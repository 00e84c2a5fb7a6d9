"""Amounts as people read them (``97,500 USDC``) and as the wire carries them (base units)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from clearwindow.core.money import format_decimal

OWN_PREFIX: Final = "ofc"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Converts amounts. ``decimals`` holds the decimals of each currency, as the server lists them."""

    decimals: Mapping[str, int]

    def base_units(self, text: str, currency: str) -> int:
        return int(Decimal(text).scaleb(self.decimals[currency]))

    def shown(self, quantity: int | str, currency: str, *, signed: bool = False) -> str:
        """Returns text such as ``-1.5 BTC``. If ``signed``, a gain starts with a plus sign."""
        return f"{self.number(quantity, currency, signed=signed)} {ticker(currency)}"

    def number(self, quantity: int | str, currency: str, *, signed: bool = False) -> str:
        base_units = int(quantity)
        whole, point, fraction = format_decimal(abs(base_units), self.decimals[currency]).partition(".")
        sign = "-" if base_units < 0 else "+" if signed and base_units > 0 else ""
        return f"{sign}{int(whole):,}{point}{fraction}"


def ticker(currency: str) -> str:
    """Returns the name that people use for a currency: BTC for ``ofcbtc``."""
    return currency.removeprefix(OWN_PREFIX).upper()
