"""The exchange's currency names and its unit of amounts. The exchange calculates in whole units. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

EXACT_DIGITS: Final = 200
"""Amounts have up to 78 digits before the decimal point and as many after it; nothing is rounded."""

_PLAIN: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")

AmountUnit = Literal["base", "decimal"]


class UnknownAmountError(ValueError):
    """The currency is not traded here, or the text is not an amount."""


@dataclass(frozen=True, slots=True)
class Denomination:
    """The exchange's currency names and its unit.

    Attributes:
        names: by each name of a currency, the name that the exchange uses.
        decimals: by the exchange's name, the decimals of the currency.
        unit: whether it sends the network base units or whole units.
    """

    names: Mapping[str, str]
    decimals: Mapping[str, int]
    unit: AmountUnit

    def own_name(self, name: str) -> str:
        """Returns the name that the exchange uses.

        Raises:
            UnknownAmountError: the currency is not traded here.
        """
        if name not in self.names:
            raise UnknownAmountError(f"{name[:40]} is not traded here")
        return self.names[name]

    def read(self, name: str, amount: str | Decimal) -> Decimal:
        """Returns an amount that the network sent, in whole units.

        Raises:
            UnknownAmountError: the currency is not traded here, or the text is not an amount.
        """
        own = self.own_name(name)
        if isinstance(amount, str) and not _PLAIN.fullmatch(amount):
            raise UnknownAmountError("the amount is not a plain number")
        number = Decimal(amount)
        return number.scaleb(-self.decimals[own]) if self.unit == "base" else number

    def whole(self, name: str, base_units: int) -> Decimal:
        """Returns base units in whole units, whatever unit the exchange sends."""
        return Decimal(base_units).scaleb(-self.decimals[self.own_name(name)])

    def written(self, name: str, amount: Decimal) -> Decimal:
        """Returns an amount in whole units as the exchange sends it to the network."""
        return amount.scaleb(self.decimals[name]) if self.unit == "base" else amount
