"""Money between people, who read ``97,500 USDC``, and the wire, which carries base units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from clearwindow.money import format_decimal

OWN_PREFIX: Final = "ofc"


@dataclass(frozen=True, slots=True)
class Amounts:
    """``decimals`` is per currency, as the server's own list of currencies has it."""

    decimals: Mapping[str, int]

    def base_units(self, text: str, currency: str) -> int:
        return int(Decimal(text).scaleb(self.decimals[currency]))

    def shown(self, quantity: int | str, currency: str, *, signed: bool = False) -> str:
        """``-1.5 BTC``; with ``signed`` a gain has its plus."""
        return f"{self.number(quantity, currency, signed=signed)} {ticker(currency)}"

    def number(self, quantity: int | str, currency: str, *, signed: bool = False) -> str:
        base_units = int(quantity)
        whole, point, fraction = format_decimal(abs(base_units), self.decimals[currency]).partition(".")
        sign = "-" if base_units < 0 else "+" if signed and base_units > 0 else ""
        return f"{sign}{int(whole):,}{point}{fraction}"


def ticker(currency: str) -> str:
    """What people call a currency: ``ofcbtc`` is BTC."""
    return currency.removeprefix(OWN_PREFIX).upper()
