"""Go Accounts, their keys, currencies, deposits and withdrawals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clearwindow.ledger.models import Balance, BalanceKey, EntryKind


@dataclass(frozen=True, slots=True)
class GoAccount:
    """An enterprise's custody account. Its first account is its default."""

    id: UUID
    enterprise_id: str
    label: str | None
    is_default: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GoAccountKey:
    """A key that signs for a Go Account.

    Attributes:
        pub: the public key in the text form in which it was given.
        public_key: the same key, compressed (33 bytes).
        encrypted_prv: the owner's own ciphertext of the private key, stored and returned unchanged.
        custodian: whether the custodian holds the private key.
        verifies_from: from when its signatures count. A further key of an account waits.
    """

    id: UUID
    pub: str
    public_key: bytes
    encrypted_prv: str | None
    created_at: datetime
    revoked_at: datetime | None
    verifies_from: datetime
    custodian: bool = False

    def verifies(self, now: datetime) -> bool:
        """Returns whether its signatures count now."""
        return self.revoked_at is None and self.verifies_from <= now


@dataclass(frozen=True, slots=True)
class SealedKey:
    """An active custodian key with its private key, encrypted by the vault."""

    id: UUID
    sealed_prv: bytes


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of the network. ``decimals`` says how many base units make one unit: 10 to that power."""

    name: str
    backing: str
    decimals: int


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of the account's owner, as an operator gives it.

    Attributes:
        pub: the public key in a text form of protocol §3.
        encrypted_prv: the owner's own ciphertext of the private key, stored and returned unchanged.
    """

    pub: str
    encrypted_prv: str | None = None


@dataclass(frozen=True, slots=True)
class NewGoAccount:
    """A Go Account to open, with its owner's keys, a custodian's key, or both."""

    label: str | None
    keys: Sequence[OwnKey] = field(default_factory=tuple)
    custodian_key: bool = False


@dataclass(frozen=True, slots=True)
class CustodyRequest:
    """A deposit or withdrawal to make, in base units, once for each reference."""

    currency: str
    quantity: int
    reference: str


@dataclass(frozen=True, slots=True)
class CustodyMovement:
    """A deposit or withdrawal that was made, in base units. An account uses a reference once."""

    entry_id: UUID
    kind: EntryKind
    key: BalanceKey
    quantity: int
    reference: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustodyOutcome:
    """A movement and the present balance. ``replayed``: an earlier request made the movement."""

    movement: CustodyMovement
    balance: Balance
    replayed: bool
