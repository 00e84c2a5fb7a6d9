"""Money coming in from the outside world and going out to it, once for each account and reference."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from clearwindow.accounts import rules, service, store
from clearwindow.accounts.values import Balance, BalanceKey, CustodyMovement, Entry, EntryKind, Movement
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, UnprocessableError
from clearwindow.ids import NIL


@dataclass(frozen=True, slots=True)
class CustodyOutcome:
    """A movement with the balance as it is now; ``replayed`` where an earlier request had made it."""

    movement: CustodyMovement
    balance: Balance
    replayed: bool


def deposit(tx: Transaction, entry_id: UUID, key: BalanceKey, quantity: int, reference: str) -> CustodyOutcome:
    """Credits an existing Go Account in a known currency."""
    movements = rules.deposit(key, quantity)
    wanted = CustodyMovement(entry_id, EntryKind.DEPOSIT, key, quantity, reference, tx.now())
    return _move(tx, wanted, movements)


def withdraw(tx: Transaction, entry_id: UUID, key: BalanceKey, quantity: int, reference: str) -> CustodyOutcome:
    """Debits an existing Go Account, within what is available.

    Raises:
        UnprocessableError: the available balance does not cover the quantity.
    """
    movements = rules.withdrawal(key, quantity)
    wanted = CustodyMovement(entry_id, EntryKind.WITHDRAWAL, key, quantity, reference, tx.now())
    return _move(tx, wanted, movements)


def _move(tx: Transaction, wanted: CustodyMovement, movements: list[Movement]) -> CustodyOutcome:
    # Locking first puts identical requests of the same instant in a row: the second finds what the first did.
    before = service.lock_balances(tx, [wanted.key, BalanceKey(NIL, wanted.key.currency)])[wanted.key]
    done = store.find_custody_movement(tx, wanted.key.account_id, wanted.reference)
    if done is not None:
        _require_same(done, wanted)
        return CustodyOutcome(done, before, replayed=True)
    if wanted.kind is EntryKind.WITHDRAWAL:
        _require_covered(before, wanted)
    entry = Entry(wanted.entry_id, wanted.kind, cause_id=wanted.entry_id, reference=wanted.reference)
    service.post(tx, entry, movements)
    store.insert_custody_movement(tx, wanted)
    change = sum(movement.available for movement in movements if movement.key == wanted.key)
    return CustodyOutcome(wanted, Balance(before.available + change, before.held), replayed=False)


def _require_same(done: CustodyMovement, wanted: CustodyMovement) -> None:
    if (done.kind, done.key, done.quantity) != (wanted.kind, wanted.key, wanted.quantity):
        raise ConflictError(
            "reference_used",
            f"the reference was used by a {done.kind} of {done.quantity} {done.key.currency}: choose a new one",
            {"kind": done.kind, "currency": done.key.currency, "quantity": str(done.quantity)},
        )


def _require_covered(balance: Balance, wanted: CustodyMovement) -> None:
    shortfall = rules.missing_funds(balance, wanted.quantity)
    if shortfall:
        raise UnprocessableError(
            "insufficient_funds",
            f"the Go Account has {balance.available} {wanted.key.currency} available, {shortfall} too little",
            {
                "currency": wanted.key.currency,
                "available": str(balance.available),
                "shortfall": str(shortfall),
            },
        )
