"""Balances, movements and holds as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from clearwindow.ids import NIL


class EntryKind(StrEnum):
    """Why money moved; each kind is one line of the journal's vocabulary."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    ALLOCATION_RESERVED = "allocation_reserved"
    ALLOCATION_CLEARED = "allocation_cleared"
    ALLOCATION_RELEASED = "allocation_released"
    DEALLOCATION_RESERVED = "deallocation_reserved"
    DEALLOCATION_CLEARED = "deallocation_cleared"
    DEALLOCATION_RELEASED = "deallocation_released"
    SETTLEMENT_HELD = "settlement_held"
    SETTLEMENT_EXECUTED = "settlement_executed"
    SETTLEMENT_REJECTED = "settlement_rejected"
    DISPUTE_CLOSURE_HELD = "dispute_closure_held"


class HoldCause(StrEnum):
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    SETTLEMENT = "settlement"
    DISPUTE = "dispute"


class BalanceKey(NamedTuple):
    account_id: UUID
    currency: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Base units of one currency on one account."""

    available: int
    held: int


Balances = Mapping[BalanceKey, Balance]


@dataclass(frozen=True, slots=True)
class Entry:
    """The head of a journal entry. ``cause_id`` is the deposit, allocation, settlement or closure behind it."""

    id: UUID
    kind: EntryKind
    cause_id: UUID
    partner_id: UUID = NIL
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """By how much the two buckets of one balance change, in base units."""

    key: BalanceKey
    available: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount held on an account for one open cause."""

    cause: HoldCause
    cause_id: UUID
    partner_id: UUID
    key: BalanceKey
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A liability that its account does not cover, in base units."""

    account_id: UUID
    currency: str
    liability: int
    available: int

    @property
    def shortfall(self) -> int:
        return self.liability - self.available
