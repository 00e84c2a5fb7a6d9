"""Amounts as people and partners write them, and names of currencies. Protocol §1."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.money import (
    MAX_QUANTITY,
    AmountUnit,
    canonical_currency,
    format_decimal,
    from_partner_amount,
    is_currency_name,
    to_partner_amount,
)

QUANTITIES = st.integers(-MAX_QUANTITY, MAX_QUANTITY) | st.integers(-120, 120)
DECIMALS = st.integers(0, 18)


@pytest.mark.parametrize(
    ("quantity", "decimals", "text"),
    [
        (0, 0, "0"),
        (0, 8, "0"),
        (100, 0, "100"),
        (-100, 0, "-100"),
        (100, 2, "1"),
        (1, 8, "0.00000001"),
        (-1, 2, "-0.01"),
        (-150_000_000, 8, "-1.5"),
        (1_050, 2, "10.5"),
    ],
)
def test_amount_for_people_has_its_point_and_no_zeros_after_it(quantity: int, decimals: int, text: str) -> None:
    assert format_decimal(quantity, decimals) == text


@given(quantity=QUANTITIES, decimals=DECIMALS)
def test_amount_for_people_has_the_value_of_the_base_units(quantity: int, decimals: int) -> None:
    # A Decimal made of a text is exact, and moving its point is too.
    text = format_decimal(quantity, decimals)
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits))) * 10 ** (decimals + exponent)
    assert (-whole if sign else whole) == quantity


@given(quantity=st.integers(0, MAX_QUANTITY), unit=st.sampled_from(AmountUnit), decimals=DECIMALS)
def test_partner_reads_back_what_it_was_sent(quantity: int, unit: AmountUnit, decimals: int) -> None:
    assert from_partner_amount(to_partner_amount(quantity, unit, decimals), unit, decimals) == quantity


def test_partners_amount_is_in_its_unit() -> None:
    assert to_partner_amount(150, AmountUnit.BASE, 2) == "150"
    assert to_partner_amount(150, AmountUnit.DECIMAL, 2) == "1.5"


@pytest.mark.parametrize(
    ("text", "unit", "quantity"),
    [
        ("15", AmountUnit.BASE, 15),
        ("15.0", AmountUnit.BASE, None),
        ("15.", AmountUnit.BASE, None),
        ("15", AmountUnit.DECIMAL, 1_500),
        ("-15.2", AmountUnit.DECIMAL, -1_520),
        ("1.23", AmountUnit.DECIMAL, 123),
        ("1.2300", AmountUnit.DECIMAL, 123),
        ("1.234", AmountUnit.DECIMAL, None),
        ("0.01", AmountUnit.DECIMAL, 1),
    ],
)
def test_amount_with_too_many_decimals_means_nothing(text: str, unit: AmountUnit, quantity: int | None) -> None:
    assert from_partner_amount(text, unit, 2) == quantity


def test_short_name_of_a_currency_means_the_full_one() -> None:
    assert [canonical_currency(name) for name in ("btc", "ofcbtc", "OFCbtc")] == ["ofcbtc", "ofcbtc", "ofcOFCbtc"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("ofcbtc", True),
        ("ofct", True),
        ("ofcterc:usd.t-1", True),
        ("ofc" + "a" * 60, True),
        ("ofc" + "a" * 61, False),
        ("ofc", False),
        ("btc", False),
        ("ofcBTC", False),
        ("ofcbtc\n", False),
        ("OFCbtc", False),
    ],
)
def test_name_of_a_currency(name: str, *, is_one: bool) -> None:
    assert is_currency_name(name) is is_one
