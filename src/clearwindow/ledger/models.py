"""Accounts, balances, movements, holds and journal entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from clearwindow.core.ids import NIL


class AccountKind(StrEnum):
    """``go``: an enterprise's custody account. ``network``: the funds of one connection at its partner."""

    GO = "go"
    NETWORK = "network"


class EntryKind(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    TOP_UP = "top_up"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_RESERVED = "withdrawal_reserved"
    WITHDRAWAL_RELEASED = "withdrawal_released"
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
    DISPUTE_CLOSURE_CANCELLED = "dispute_closure_cancelled"
    ONCHAIN_LOSS_PAID = "onchain_loss_paid"
    ONCHAIN_GAIN_PAID = "onchain_gain_paid"
    ONCHAIN_DEPOSIT_CREDITED = "onchain_deposit_credited"
    ONCHAIN_DEPOSIT_RELEASED = "onchain_deposit_released"


class HoldCause(StrEnum):
    """What an amount is held for."""

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    SETTLEMENT = "settlement"
    DISPUTE = "dispute"
    ONCHAIN_DEPOSIT = "onchain_deposit"
    WITHDRAWAL = "withdrawal"
    """A withdrawal that operators have proposed. Its id is the proposal's."""


class BalanceKey(NamedTuple):
    account_id: UUID
    currency: str


@dataclass(frozen=True, slots=True)
class Balance:
    """The base units of one currency in one account."""

    available: int
    held: int

    @property
    def total(self) -> int:
        return self.available + self.held


Balances = Mapping[BalanceKey, Balance]


@dataclass(frozen=True, slots=True)
class Entry:
    """The head of a journal entry. ``cause_id`` is the deposit, allocation, settlement or closure it is for."""

    id: UUID
    kind: EntryKind
    cause_id: UUID
    partner_id: UUID = NIL
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """The change of the available and the held part of one balance, in base units."""

    key: BalanceKey
    available: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class HeldTotal:
    """How much one cause holds of a currency, in how many holds."""

    currency: str
    quantity: int
    holds: int


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount, in base units, that an account holds for one open cause."""

    cause: HoldCause
    cause_id: UUID
    partner_id: UUID
    key: BalanceKey
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A liability that its account cannot cover, in base units."""

    account_id: UUID
    currency: str
    liability: int
    available: int

    @property
    def shortfall(self) -> int:
        return self.liability - self.available


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A stored entry with its postings."""

    id: UUID
    kind: EntryKind
    cause_id: UUID
    partner_id: UUID
    reference: str | None
    created_at: datetime
    postings: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Selects entries of the journal. None means no restriction."""

    cause_id: UUID | None
    account_id: UUID | None
    created_on_or_after: datetime | None
    created_before: datetime | None
