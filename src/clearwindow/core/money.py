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
"""A non-zero integer of base units as decimal text: no sign but a leading minus, no leading zeros."""

PositiveBaseUnits = Annotated[str, StringConstraints(pattern=POSITIVE_BASE_UNITS)]
"""The same, above zero."""

PositiveDecimal = Annotated[str, StringConstraints(pattern=POSITIVE_DECIMAL)]
"""Decimal text in a partner's own unit, without a sign."""

SignedDecimal = Annotated[str, StringConstraints(pattern=SIGNED_DECIMAL)]
"""Decimal text in a partner's own unit; whether it is zero or too fine is decided with its currency at hand."""


class AmountUnit(StrEnum):
    """What a partner's amounts count: base units, or whole coins with decimals."""

    BASE = "base"
    DECIMAL = "decimal"


def format_decimal(quantity: int, decimals: int) -> str:
    """Base units as people read them: ``format_decimal(-150_000_000, 8) == "-1.5"``."""
    digits = str(abs(quantity)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    text = f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
    return f"-{text}" if quantity < 0 else text


def to_partner_amount(quantity: int, unit: AmountUnit, decimals: int) -> str:
    """Base units in the naming of a partner whose amounts are in ``unit``."""
    return str(quantity) if unit is AmountUnit.BASE else format_decimal(quantity, decimals)


def from_partner_amount(text: str, unit: AmountUnit, decimals: int) -> int | None:
    """The base units that a plain decimal text means to such a partner; None where it is finer than they are."""
    whole, _, fraction = text.partition(".")
    places = decimals if unit is AmountUnit.DECIMAL else 0
    fraction = fraction.rstrip("0")
    return int(whole + fraction.ljust(places, "0")) if len(fraction) <= places else None


def canonical_currency(name: str) -> str:
    """Our name of a currency: ``btc`` is accepted and means ``ofcbtc``. Protocol §1."""
    return name if name.startswith("ofc") else f"ofc{name}"


def is_currency_name(name: str) -> bool:
    return re.fullmatch(r"ofc[a-z0-9:.-]{1,60}", name) is not None
