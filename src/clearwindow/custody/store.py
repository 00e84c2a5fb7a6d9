"""All SQL of Go Accounts, their keys, currencies, deposits and withdrawals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.custody.models import (
    Currency,
    CustodyMovement,
    GoAccount,
    GoAccountFilter,
    GoAccountKey,
    KeyFilter,
    ListedKey,
    NewGoAccount,
    SealedKey,
)
from clearwindow.ledger.models import BalanceKey, EntryKind
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.custody")


@dataclass(frozen=True, slots=True)
class _MovementRow:
    entry_id: UUID
    account_id: UUID
    reference: str
    kind: EntryKind
    currency: str
    quantity: int
    created_at: datetime

    def movement(self) -> CustodyMovement:
        key = BalanceKey(self.account_id, self.currency)
        return CustodyMovement(self.entry_id, self.kind, key, self.quantity, self.reference, self.created_at)


def insert_go_account(tx: Transaction, account_id: UUID, enterprise_id: str, asked: NewGoAccount) -> GoAccount:
    """Makes the ledger's account a Go Account of the enterprise; its first one becomes its default.

    The caller has locked the enterprise.
    """
    values = {"account_id": account_id, "enterprise_id": enterprise_id, "label": asked.label}
    required = asked.require_intent
    return tx.one(GoAccount, sql["insert_go_account"], **values, require_intent=required, now=tx.now())


def lock_go_account(tx: Transaction, account_id: UUID) -> GoAccount | None:
    return tx.first(GoAccount, sql["lock_go_account"], id=account_id)


def set_require_intent(tx: Transaction, account_id: UUID, *, required: bool) -> None:
    tx.run(sql["set_require_intent"], id=account_id, require_intent=required)


def find_go_account(tx: Transaction, account_id: UUID) -> GoAccount | None:
    return tx.first(GoAccount, sql["find_go_account"], id=account_id)


def find_default_go_account(tx: Transaction, enterprise_id: str) -> GoAccount | None:
    return tx.first(GoAccount, sql["find_default_go_account"], enterprise_id=enterprise_id)


def list_go_accounts(tx: Transaction, wanted: GoAccountFilter, part: Slice) -> Listing[GoAccount]:
    return keyset_page(tx, GoAccount, sql["list_go_accounts"], asdict(wanted), NEWEST_FIRST, part)


def list_go_account_keys(tx: Transaction, wanted: KeyFilter, part: Slice) -> Listing[ListedKey]:
    return keyset_page(tx, ListedKey, sql["list_go_account_keys"], asdict(wanted), NEWEST_FIRST, part)


def insert_key(tx: Transaction, account_id: UUID, key: GoAccountKey, sealed_prv: bytes | None = None) -> None:
    tx.run(
        sql["insert_key"],
        id=key.id,
        account_id=account_id,
        pub=key.pub,
        public_key=key.public_key,
        encrypted_prv=key.encrypted_prv,
        custodian=key.custodian,
        sealed_prv=sealed_prv,
        now=key.created_at,
        verifies_from=key.verifies_from,
    )


def revoke_key(tx: Transaction, account_id: UUID, key_id: UUID) -> bool | None:
    """Returns whether this call revoked the key, or None if the account has no such key."""
    revoked = tx.scalars(bool, sql["revoke_key"], id=key_id, account_id=account_id, now=tx.now())
    return revoked[0] if revoked else None


def list_keys(tx: Transaction, account_id: UUID) -> list[GoAccountKey]:
    """Returns all keys that the Go Account ever had, including the revoked ones, oldest first."""
    return ask_keys(tx, account_id)()


def ask_keys(tx: Transaction, account_id: UUID) -> Later[list[GoAccountKey]]:
    return tx.ask.all(GoAccountKey, sql["list_keys"], account_id=account_id)


def requires_intent(tx: Transaction, account_id: UUID) -> bool:
    """Returns whether the texts of the Go Account's keys must say what they are for."""
    return ask_requires_intent(tx, account_id)()


def ask_requires_intent(tx: Transaction, account_id: UUID) -> Later[bool]:
    return tx.ask.scalars(bool, sql["requires_intent"], account_id=account_id).then(lambda found: found == [True])


def find_key(tx: Transaction, key_id: UUID) -> tuple[GoAccount, GoAccountKey] | None:
    """Returns the key and its account, or None if the key is revoked or unknown."""
    account = tx.first(GoAccount, sql["find_key_account"], id=key_id)
    key = tx.first(GoAccountKey, sql["find_key"], id=key_id)
    return (account, key) if account and key else None


def find_sealed_key(tx: Transaction, account_id: UUID) -> SealedKey | None:
    """Returns the account's active custodian key, if it has one whose signatures count now."""
    return tx.first(SealedKey, sql["find_sealed_key"], account_id=account_id, now=tx.now())


def insert_currency(tx: Transaction, currency: Currency) -> bool:
    """Returns False if the network already has a currency with this name."""
    return tx.run(sql["insert_currency"], **asdict(currency)) == 1


def currencies(tx: Transaction, names: Sequence[str] | None = None) -> dict[str, Currency]:
    """Returns the network's currencies by name: all of them, or those among ``names``."""
    found = tx.all(Currency, sql["list_currencies"], names=None if names is None else list(names))
    return {currency.name: currency for currency in found}


def find_movement(tx: Transaction, account_id: UUID, reference: str) -> CustodyMovement | None:
    row = tx.first(_MovementRow, sql["find_custody_movement"], account_id=account_id, reference=reference)
    return row.movement() if row else None


def insert_movement(tx: Transaction, moved: CustodyMovement) -> None:
    tx.run(
        sql["insert_custody_movement"],
        account_id=moved.key.account_id,
        reference=moved.reference,
        entry_id=moved.entry_id,
        kind=moved.kind,
        currency=moved.key.currency,
        quantity=Decimal(moved.quantity),
        now=moved.created_at,
    )
