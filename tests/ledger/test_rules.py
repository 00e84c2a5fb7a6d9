"""What moves a balance, without a database."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from clearwindow.core.ids import NIL
from clearwindow.ledger import rules
from clearwindow.ledger.models import Balance, BalanceKey, Movement

KEY = BalanceKey(UUID(int=1), "ofcbtc")
OTHER = BalanceKey(UUID(int=2), "ofcbtc")
OUTSIDE = BalanceKey(NIL, "ofcbtc")


@pytest.mark.parametrize(("available", "missing"), [(0, 7), (6, 1), (7, 0), (8, 0)])
def test_missing_is_what_the_available_balance_does_not_cover(available: int, missing: int) -> None:
    assert rules.missing_funds(Balance(available, 100), 7) == missing


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (rules.deposit, {KEY: (7, 0), OUTSIDE: (-7, 0)}),
        (rules.withdrawal, {KEY: (-7, 0), OUTSIDE: (7, 0)}),
        (rules.reservation, {KEY: (-7, 7)}),
        (rules.release, {KEY: (7, -7)}),
        (lambda key, quantity: rules.clearing(key, OTHER, quantity), {KEY: (0, -7), OTHER: (7, 0)}),
    ],
)
def test_each_act_moves_exactly_its_amount(
    act: Callable[[BalanceKey, int], list[Movement]], expected: dict[BalanceKey, tuple[int, int]]
) -> None:
    moved = act(KEY, 7)
    assert {each.key: (each.available, each.held) for each in moved} == expected
    assert len(moved) == len(expected)
