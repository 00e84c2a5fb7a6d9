"""Balances, movements and holds as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
    ONCHAIN_LOSS_PAID = "onchain_loss_paid"
    ONCHAIN_GAIN_PAID = "onchain_gain_paid"
    ONCHAIN_DEPOSIT_CREDITED = "onchain_deposit_credited"
    ONCHAIN_DEPOSIT_RELEASED = "onchain_deposit_released"


class HoldCause(StrEnum):
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    SETTLEMENT = "settlement"
    DISPUTE = "dispute"
    ONCHAIN_DEPOSIT = "onchain_deposit"


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


@dataclass(frozen=True, slots=True)
class GoAccount:
    """An enterprise's custody account; its first one is its default."""

    id: UUID
    enterprise_id: str
    label: str | None
    is_default: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GoAccountKey:
    """A key that signs for a Go Account: ``pub`` as it was given, ``public_key`` its 33 bytes.

    ``encrypted_prv`` is the owner's own ciphertext, kept and given back as it is. Of a ``custodian`` key we hold
    the private half ourselves.
    """

    id: UUID
    pub: str
    public_key: bytes
    encrypted_prv: str | None
    created_at: datetime
    revoked_at: datetime | None
    custodian: bool = False


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A custodian key in force with its private half, sealed by the vault."""

    id: UUID
    sealed_prv: bytes


@dataclass(frozen=True, slots=True)
class Currency:
    name: str
    backing: str
    decimals: int


@dataclass(frozen=True, slots=True)
class CustodyMovement:
    """A deposit or withdrawal as it was made: once for each account and reference."""

    entry_id: UUID
    kind: EntryKind
    key: BalanceKey
    quantity: int
    reference: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry with its postings, as the journal is read back."""

    id: UUID
    kind: str
    cause_id: UUID
    partner_id: UUID
    reference: str | None
    created_at: datetime
    postings: list[dict[str, str]]
    total: int
