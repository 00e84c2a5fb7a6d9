"""Money: whole base units (satoshi, wei) as Python integers, up to 78 digits, never a float. Protocol §1."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import StringConstraints

MAX_DIGITS: Final = 78
MAX_QUANTITY: Final = 10**MAX_DIGITS - 1

SIGNED_BASE_UNITS: Final = rf"^-?[1-9][0-9]{{0,{MAX_DIGITS - 1}}}$"
POSITIVE_BASE_UNITS: Final = rf"^[1-9][0-9]{{0,{MAX_DIGITS - 1}}}$"
SIGNED_DECIMAL: Final = rf"^-?(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})(\.[0-9]{{1,{MAX_DIGITS}}})?$"

POSITIVE_DECIMAL: Final = rf"^(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})(\.[0-9]{{1,{MAX_DIGITS}}})?$"

SignedBaseUnits = Annotated[str, StringConstraints(pattern=SIGNED_BASE_UNITS)]
"""A whole number of base units as decimal text: not zero, no leading zeros, no sign except a minus."""

PositiveBaseUnits = Annotated[str, StringConstraints(pattern=POSITIVE_BASE_UNITS)]
"""The same, above zero."""

PositiveDecimal = Annotated[str, StringConstraints(pattern=POSITIVE_DECIMAL)]
"""Decimal text in a partner's own unit, without a sign."""

SignedDecimal = Annotated[str, StringConstraints(pattern=SIGNED_DECIMAL)]
"""Decimal text in a partner's own unit. Zero and too many decimals are refused once the currency is known."""


class AmountUnit(StrEnum):
    """The unit of a partner's amounts: base units, or whole coins with decimals."""

    BASE = "base"
    DECIMAL = "decimal"


def format_decimal(quantity: int, decimals: int) -> str:
    """Returns base units as people read them: ``format_decimal(-150_000_000, 8) == "-1.5"``."""
    digits = str(abs(quantity)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    text = f"{whole}.{fraction}".rstrip("0").rstrip(".")
    return f"-{text}" if quantity < 0 else text


def to_partner_amount(quantity: int, unit: AmountUnit, decimals: int) -> str:
    """Returns base units as a partner writes them, whose amounts are in ``unit``."""
    return str(quantity) if unit is AmountUnit.BASE else format_decimal(quantity, decimals)


def from_partner_amount(text: str, unit: AmountUnit, decimals: int) -> int | None:
    """Returns the base units that a partner's amount means, None if it has too many decimals for them.

    Trailing zeros of a decimal amount do not count. An amount in base units has digits only: who writes 1.0 there
    means a coin. The statement ``unfit_amounts`` decides the same for all amounts of a settlement.
    """
    whole, point, fraction = text.partition(".")
    if point and unit is AmountUnit.BASE:
        return None
    places = decimals if unit is AmountUnit.DECIMAL else 0
    fraction = fraction.rstrip("0")
    return int(whole + fraction.ljust(places, "0")) if len(fraction) <= places else None


def canonical_currency(name: str) -> str:
    """Returns our name of a currency: ``btc`` is accepted and means ``ofcbtc``. Protocol §1."""
    return name if name.startswith("ofc") else f"ofc{name}"


def is_currency_name(name: str) -> bool:
    return re.fullmatch(r"ofc[a-z0-9:.-]{1,60}", name) is not None
