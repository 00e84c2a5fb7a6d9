"""Decisions about balances: values in, movements out."""

from __future__ import annotations

from clearwindow.core.ids import NIL
from clearwindow.ledger.models import Balance, BalanceKey, Movement


def missing_funds(balance: Balance, quantity: int) -> int:
    """Returns the part of ``quantity`` that the available balance does not cover, 0 if it covers all."""
    return max(0, quantity - balance.available)


def deposit(key: BalanceKey, quantity: int) -> list[Movement]:
    """Money moves from the outside world to an account."""
    return [Movement(key, available=quantity), Movement(BalanceKey(NIL, key.currency), available=-quantity)]


def withdrawal(key: BalanceKey, quantity: int) -> list[Movement]:
    """Money moves from an account to the outside world."""
    return [Movement(key, available=-quantity), Movement(BalanceKey(NIL, key.currency), available=quantity)]


def reservation(key: BalanceKey, quantity: int) -> list[Movement]:
    """Available funds become held."""
    return [Movement(key, available=-quantity, held=quantity)]


def release(key: BalanceKey, quantity: int) -> list[Movement]:
    """Held funds become available."""
    return [Movement(key, available=quantity, held=-quantity)]


def clearing(source: BalanceKey, destination: BalanceKey, quantity: int) -> list[Movement]:
    """Held funds of one account become available funds of another."""
    return [Movement(source, held=-quantity), Movement(destination, available=quantity)]
