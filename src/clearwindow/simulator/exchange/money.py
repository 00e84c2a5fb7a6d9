"""The exchange's own names and unit of amounts, and what is calculated with: whole units. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

EXACT_DIGITS: Final = 200
"""Amounts have up to 78 digits before the point and as many after it; nothing is ever rounded."""

_PLAIN: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")

AmountUnit = Literal["base", "decimal"]


class UnknownAmountError(ValueError):
    """A currency that is not traded here, or a text that is no amount."""


@dataclass(frozen=True, slots=True)
class Denomination:
    """How the exchange names and counts.

    Attributes:
        names: what it calls a currency, also in other ways, and the name that it uses itself.
        decimals: of each currency by the latter.
        unit: whether it tells the network base units or whole ones.
    """

    names: Mapping[str, str]
    decimals: Mapping[str, int]
    unit: AmountUnit

    def own_name(self, name: str) -> str:
        """Raises UnknownAmountError: there is no such currency here."""
        if name not in self.names:
            raise UnknownAmountError(f"{name[:40]} is not traded here")
        return self.names[name]

    def read(self, name: str, amount: str | Decimal) -> Decimal:
        """An amount of the network's in whole units.

        Raises:
            UnknownAmountError: it is none.
        """
        own = self.own_name(name)
        if isinstance(amount, str) and not _PLAIN.fullmatch(amount):
            raise UnknownAmountError("the amount is not a plain number")
        number = Decimal(amount)
        return number.scaleb(-self.decimals[own]) if self.unit == "base" else number

    def written(self, name: str, amount: Decimal) -> Decimal:
        """An amount in whole units as the network is told it."""
        return amount.scaleb(self.decimals[name]) if self.unit == "base" else amount
