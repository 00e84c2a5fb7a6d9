"""Deposits and withdrawals: money moves between the outside world and a Go Account, once for each reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from clearwindow.core.errors import ConflictError, UnprocessableError
from clearwindow.core.ids import NIL
from clearwindow.custody import store
from clearwindow.custody.currencies import require_currency
from clearwindow.custody.go_accounts import require_go_account
from clearwindow.custody.models import CustodyMovement, CustodyOutcome, CustodyRequest, GoAccount
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.ledger import rules
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance, BalanceKey, Entry, EntryKind
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Pause
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

_MOVEMENTS: Final = {EntryKind.DEPOSIT: rules.deposit, EntryKind.WITHDRAWAL: rules.withdrawal}


def deposit(runtime: Runtime, actor: Operator, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    """Credits a Go Account and schedules the settlements that waited for the money.

    A deposit to an account over which a partner settles is a top-up, which a pause stops. Other money that has come
    belongs into the books at any time (choice C223).

    Raises:
        UnprocessableError: the top-up touches what is paused.
    """
    with runtime.transaction() as tx:
        account, key = _account_and_key(tx, go_account_id, request.currency)
        # Partners before balances, as in an execution. The other order could deadlock with one.
        waiting = runtime.funding.lock_partners_of(tx, account.id)
        standing = pauses.standing_for_account(tx, account.id, key.currency) if waiting else []
        outcome = _move(tx, EntryKind.DEPOSIT, key, request, standing)
        if not outcome.replayed:
            _record(tx, actor, account, outcome)
            runtime.funding.wake_waiting(tx, waiting)
    return outcome


def withdraw(runtime: Runtime, actor: Operator, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    """Debits a Go Account.

    Raises:
        UnprocessableError: the available balance does not cover the quantity, or something of it is paused.
    """
    with runtime.transaction() as tx:
        account, key = _account_and_key(tx, go_account_id, request.currency)
        standing = pauses.standing_for_account(tx, account.id, key.currency)
        outcome = _move(tx, EntryKind.WITHDRAWAL, key, request, standing)
        if not outcome.replayed:
            _record(tx, actor, account, outcome)
    return outcome


def _account_and_key(tx: Transaction, go_account_id: str, currency: str) -> tuple[GoAccount, BalanceKey]:
    account = require_go_account(tx, go_account_id)
    return account, BalanceKey(account.id, require_currency(tx, currency))


def _move(
    tx: Transaction, kind: EntryKind, key: BalanceKey, request: CustodyRequest, standing: Sequence[Pause]
) -> CustodyOutcome:
    wanted = CustodyMovement(tx.new_id(), kind, key, request.quantity, request.reference, tx.now())
    movements = _MOVEMENTS[kind](key, request.quantity)
    # The lock comes first, so that the second of two identical requests finds the movement of the first.
    before = ledger.lock_balances(tx, [key, BalanceKey(NIL, key.currency)])[key]
    done = store.find_movement(tx, key.account_id, wanted.reference)
    if done is not None:
        _require_same(done, wanted)
        return CustodyOutcome(done, before, replayed=True)
    pause_rules.require_open(standing)
    if kind is EntryKind.WITHDRAWAL:
        _require_covered(before, wanted)
    entry = Entry(wanted.entry_id, kind, cause_id=wanted.entry_id, reference=wanted.reference)
    ledger.post(tx, entry, movements)
    store.insert_movement(tx, wanted)
    change = sum(movement.available for movement in movements if movement.key == key)
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


def _record(tx: Transaction, actor: Operator, account: GoAccount, outcome: CustodyOutcome) -> None:
    """Writes the audit record and the event of a movement."""
    movement, balance = outcome.movement, outcome.balance
    moved = {
        "entryId": str(movement.entry_id),
        "kind": movement.kind,
        "currency": movement.key.currency,
        "quantity": str(movement.quantity),
    }
    audit.record(tx, actor, f"{movement.kind}.made", account.id.hex, reference=movement.reference, **moved)
    balances = {"available": str(balance.available), "held": str(balance.held)}
    payload = {"goAccountId": account.id.hex, **moved, **balances}
    outbox.record(tx, [Event(EventType.BALANCE_CHANGED, account.enterprise_id, account.id, payload)])
