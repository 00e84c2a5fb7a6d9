"""Decisions about balances: values in, movements out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from clearwindow.accounts.values import Balance, BalanceKey, Movement
from clearwindow.ids import NIL


def missing_funds(balance: Balance, quantity: int) -> int:
    """How much of ``quantity`` the available balance does not cover; 0 where it does."""
    return max(0, quantity - balance.available)


def deposit(key: BalanceKey, quantity: int) -> list[Movement]:
    """Money comes in from the outside world."""
    return [Movement(key, available=quantity), Movement(BalanceKey(NIL, key.currency), available=-quantity)]


def withdrawal(key: BalanceKey, quantity: int) -> list[Movement]:
    return [Movement(key, available=-quantity), Movement(BalanceKey(NIL, key.currency), available=quantity)]


def reservation(key: BalanceKey, quantity: int) -> list[Movement]:
    """Available funds become held."""
    return [Movement(key, available=-quantity, held=quantity)]


def release(key: BalanceKey, quantity: int) -> list[Movement]:
    return [Movement(key, available=quantity, held=-quantity)]


def clearing(source: BalanceKey, destination: BalanceKey, quantity: int) -> list[Movement]:
    """Held funds of one account become available on another."""
    return [Movement(source, held=-quantity), Movement(destination, available=quantity)]


def require_zero_sum(movements: Iterable[Movement]) -> None:
    """An entry that creates or destroys money is a defect; it never reaches the journal. Protocol §10.3."""
    sums: defaultdict[str, int] = defaultdict(int)
    for movement in movements:
        sums[movement.key.currency] += movement.available + movement.held
    unbalanced = sorted(currency for currency, total in sums.items() if total != 0)
    if unbalanced:
        raise AssertionError(f"a journal entry does not sum to zero in {', '.join(unbalanced)}")
