"""Reads and writes of accounts, balances, holds and the journal, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.accounts.values import (
    Balance,
    BalanceKey,
    Currency,
    CustodyMovement,
    Entry,
    EntryKind,
    GoAccount,
    GoAccountKey,
    Hold,
    JournalEntry,
    Movement,
    SealedKey,
)
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.accounts")


@dataclass(frozen=True, slots=True)
class _CustodyRow:
    entry_id: UUID
    account_id: UUID
    reference: str
    kind: str
    currency: str
    quantity: Decimal
    created_at: datetime

    def value(self) -> CustodyMovement:
        key = BalanceKey(self.account_id, self.currency)
        kind = EntryKind(self.kind)
        return CustodyMovement(self.entry_id, kind, key, int(self.quantity), self.reference, self.created_at)


@dataclass(frozen=True, slots=True)
class _BalanceRow:
    account_id: UUID
    currency: str
    available: Decimal
    held: Decimal

    def key(self) -> BalanceKey:
        return BalanceKey(self.account_id, self.currency)

    def value(self) -> Balance:
        return Balance(int(self.available), int(self.held))


@dataclass(frozen=True, slots=True)
class _HoldRow:
    cause_id: UUID
    account_id: UUID
    currency: str
    quantity: Decimal


def insert_account(tx: Transaction, account_id: UUID, kind: str, partner_id: UUID) -> None:
    tx.run(sql["insert_account"], id=account_id, kind=kind, partner_id=partner_id, now=tx.now())


def insert_go_account(tx: Transaction, account_id: UUID, enterprise_id: str, label: str | None) -> GoAccount:
    values = {"account_id": account_id, "enterprise_id": enterprise_id, "label": label}
    return tx.one(GoAccount, sql["insert_go_account"], **values, now=tx.now())


def find_go_account(tx: Transaction, account_id: UUID) -> GoAccount | None:
    return tx.first(GoAccount, sql["find_go_account"], id=account_id)


def find_default_go_account(tx: Transaction, enterprise_id: str) -> GoAccount | None:
    return tx.first(GoAccount, sql["find_default_go_account"], enterprise_id=enterprise_id)


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
    )


def revoke_key(tx: Transaction, account_id: UUID, key_id: UUID) -> bool | None:
    """Whether this call was the one that revoked it; None where the account has no such key."""
    revoked = tx.scalars(bool, sql["revoke_key"], id=key_id, account_id=account_id, now=tx.now())
    return revoked[0] if revoked else None


def list_keys(tx: Transaction, account_id: UUID) -> list[GoAccountKey]:
    return tx.all(GoAccountKey, sql["list_keys"], account_id=account_id)


def find_key(tx: Transaction, key_id: UUID) -> tuple[GoAccount, GoAccountKey] | None:
    """The key, if it is in force, with its account."""
    account = tx.first(GoAccount, sql["find_key_account"], id=key_id)
    key = tx.first(GoAccountKey, sql["find_key"], id=key_id)
    return (account, key) if account and key else None


def find_sealed_key(tx: Transaction, account_id: UUID) -> SealedKey | None:
    return tx.first(SealedKey, sql["find_sealed_key"], account_id=account_id)


def insert_currency(tx: Transaction, currency: Currency) -> bool:
    values = {"name": currency.name, "backing": currency.backing, "decimals": currency.decimals}
    return tx.run(sql["insert_currency"], **values) == 1


def list_currencies(tx: Transaction, names: Sequence[str] | None = None) -> list[Currency]:
    return tx.all(Currency, sql["list_currencies"], names=None if names is None else list(names))


def balances_of(tx: Transaction, account_ids: Iterable[UUID]) -> dict[BalanceKey, Balance]:
    rows = tx.all(_BalanceRow, sql["list_balances_of"], account_ids=list(account_ids))
    return {row.key(): row.value() for row in rows}


def lock_balances(tx: Transaction, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Balance]:
    """The balances, locked in the one fixed order; those that do not exist yet are made with zero."""
    wanted = sorted(set(keys))
    arrays = {
        "account_ids": [key.account_id for key in wanted],
        "currencies": [key.currency for key in wanted],
    }
    tx.run(sql["add_missing_balances"], **arrays)
    rows = tx.all(_BalanceRow, sql["lock_balances"], **arrays)
    return {row.key(): row.value() for row in rows}


def insert_entry(tx: Transaction, entry: Entry) -> None:
    tx.run(
        sql["insert_entry"],
        id=entry.id,
        partner_id=entry.partner_id,
        kind=entry.kind,
        cause_id=entry.cause_id,
        reference=entry.reference,
        now=tx.now(),
    )


def post_movements(tx: Transaction, entry: Entry, movements: Sequence[Movement]) -> None:
    """Writes the postings of an entry and moves the balances by them, in one statement."""
    moved = tx.run(
        sql["post_movements"],
        partner_id=entry.partner_id,
        entry_id=entry.id,
        account_ids=[movement.key.account_id for movement in movements],
        currencies=[movement.key.currency for movement in movements],
        available=[Decimal(movement.available) for movement in movements],
        held=[Decimal(movement.held) for movement in movements],
    )
    if moved != len({movement.key for movement in movements}):
        raise LookupError("a movement names a balance that does not exist")


def put_holds(tx: Transaction, holds: Sequence[Hold]) -> None:
    """Makes each of these holds exactly its ``quantity``; zero takes it away."""
    tx.run(
        sql["put_holds"],
        cause_ids=[hold.cause_id for hold in holds],
        cause_kinds=[str(hold.cause) for hold in holds],
        partner_ids=[hold.partner_id for hold in holds],
        account_ids=[hold.key.account_id for hold in holds],
        currencies=[hold.key.currency for hold in holds],
        quantities=[Decimal(hold.quantity) for hold in holds],
    )


def reduce_holds(tx: Transaction, cause_id: UUID, quantities: Mapping[BalanceKey, int]) -> int:
    """How many of the quantities were covered by what the cause held."""
    return tx.scalars(
        int,
        sql["reduce_holds"],
        cause_id=cause_id,
        account_ids=[key.account_id for key in quantities],
        currencies=[key.currency for key in quantities],
        quantities=[Decimal(quantity) for quantity in quantities.values()],
    )[0]


def drop_holds(tx: Transaction, cause_ids: Iterable[UUID]) -> None:
    tx.run(sql["drop_holds"], cause_ids=list(cause_ids))


def holds_of(tx: Transaction, cause_ids: Iterable[UUID]) -> dict[UUID, dict[BalanceKey, int]]:
    """Per cause, what it holds on each balance; a cause that holds nothing has an empty record."""
    causes = list(cause_ids)
    held: dict[UUID, dict[BalanceKey, int]] = {cause_id: {} for cause_id in causes}
    for row in tx.all(_HoldRow, sql["list_holds"], cause_ids=causes):
        held[row.cause_id][BalanceKey(row.account_id, row.currency)] = int(row.quantity)
    return held


def find_custody_movement(tx: Transaction, account_id: UUID, reference: str) -> CustodyMovement | None:
    row = tx.first(_CustodyRow, sql["find_custody_movement"], account_id=account_id, reference=reference)
    return row.value() if row else None


def insert_custody_movement(tx: Transaction, moved: CustodyMovement) -> None:
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


def list_entries(
    tx: Transaction, *, cause_id: UUID | None, account_id: UUID | None, limit: int, offset: int
) -> list[JournalEntry]:
    return tx.all(
        JournalEntry,
        sql["list_entries"],
        cause_id=cause_id,
        account_id=account_id,
        limit=limit,
        offset=offset,
    )
