"""Amounts that people enter in coins, and those that a page asks for by currency. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.money import AmountUnit, from_partner_amount

AMOUNT_FIELD: Final = "amount-"
"""A field of a form with this and the name of a currency is an amount of it."""

_COINS: Final = re.compile(r"[+-]?([0-9]{1,78}(?:\.[0-9]{0,78})?)")
"""An amount in coins, as long as any can be: Python refuses to read much longer numbers."""


def amounts_of(form: Mapping[str, str], decimals: Mapping[str, int]) -> dict[str, str]:
    """Returns the amounts of a form in base units. Empty fields and zeros are left out.

    Raises:
        InvalidRequestError: one of them is no amount in coins.
    """
    given = {name.removeprefix(AMOUNT_FIELD): text for name, text in form.items() if name.startswith(AMOUNT_FIELD)}
    return {name: text for name, raw in given.items() if (text := base_units(name, raw, decimals)) != "0"}


def base_units(name: str, raw: str, decimals: Mapping[str, int]) -> str:
    """Returns an amount in coins of the currency ``name`` in base units, 0 for an empty text.

    Raises:
        InvalidRequestError: it is no amount in coins.
    """
    text = raw.strip().replace("\u202f", "").replace("\u2212", "-")
    if not text:
        return "0"
    fits = _COINS.fullmatch(text)
    number = from_partner_amount(fits[1], AmountUnit.DECIMAL, decimals.get(name, 0)) if fits else None
    if number is None:
        raise InvalidRequestError(
            "request_invalid",
            f"{name}: enter an amount in coins with at most {decimals.get(name, 0)} decimals, such as -1.5",
        )
    return str(-number if text.startswith("-") else number)
