"""Deposits and withdrawals: money moves between the outside world and a Go Account, once for each reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from clearwindow.core.errors import ConflictError, UnprocessableError
from clearwindow.core.ids import NIL
from clearwindow.custody import store
from clearwindow.custody.currencies import require_currency
from clearwindow.custody.go_accounts import require_go_account
from clearwindow.custody.models import CustodyMovement, CustodyOutcome, CustodyRequest, GoAccount
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.acts import Scene
from clearwindow.identity.models import Operator
from clearwindow.ledger import rules
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance, BalanceKey, Entry, EntryKind, Hold, HoldCause
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Pause
from clearwindow.postgres.pool import Transaction

_MOVEMENTS: Final = {EntryKind.DEPOSIT: rules.deposit, EntryKind.WITHDRAWAL: rules.withdrawal}


def deposit(scene: Scene, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    """Credits a Go Account and schedules the settlements that waited for the money.

    A deposit to an account over which a partner settles is a top-up, which a pause stops. Other money that has come
    belongs into the books at any time (choice C202).

    Raises:
        UnprocessableError: the top-up touches what is paused.
    """
    tx, funding = scene.tx, scene.runtime.funding
    account, key = account_and_key(tx, go_account_id, request.currency)
    # Partners before balances, as in an execution. The other order could deadlock with one.
    waiting = funding.lock_partners_of(tx, account.id)
    is_top_up = funding.settles_over(tx, account.id)
    standing = pauses.standing_for_account(tx, account.id, key.currency) if is_top_up else []
    outcome = _move(tx, EntryKind.DEPOSIT, key, request, standing)
    if not outcome.replayed:
        _record(tx, scene.operator, account, outcome)
        funding.wake_waiting(tx, waiting)
    return outcome


def withdraw(scene: Scene, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    """Debits a Go Account.

    Raises:
        UnprocessableError: the available balance does not cover the quantity, or something of it is paused.
    """
    tx = scene.tx
    account, key = account_and_key(tx, go_account_id, request.currency)
    standing = pauses.standing_for_account(tx, account.id, key.currency)
    outcome = _move(tx, EntryKind.WITHDRAWAL, key, request, standing)
    if not outcome.replayed:
        _record(tx, scene.operator, account, outcome)
    return outcome


def hold_withdrawal(tx: Transaction, proposal_id: UUID, go_account_id: str, request: CustodyRequest) -> None:
    """Holds the funds of a proposed withdrawal.

    Raises:
        UnprocessableError: the available balance does not cover the quantity, or something of it is paused.
    """
    account, key = account_and_key(tx, go_account_id, request.currency)
    pause_rules.require_open(pauses.standing_for_account(tx, account.id, key.currency))
    before = ledger.lock_balances(tx, [key])[key]
    _require_covered(before, key, request.quantity)
    after = Balance(before.available - request.quantity, before.held + request.quantity)
    entry = Entry(tx.new_id(), EntryKind.WITHDRAWAL_RESERVED, proposal_id, reference=request.reference)
    hold = Hold(HoldCause.WITHDRAWAL, proposal_id, NIL, key, request.quantity)
    ledger.post(tx, entry, rules.reservation(key, request.quantity), [hold])
    _announce(tx, account, _moved(entry, key, request.quantity), after)


def release_withdrawal(tx: Transaction, proposal_id: UUID, go_account_id: str, request: CustodyRequest) -> None:
    """Makes the funds of a proposed withdrawal available again."""
    account, key = account_and_key(tx, go_account_id, request.currency)
    before = ledger.lock_balances(tx, [key])[key]
    after = Balance(before.available + request.quantity, before.held - request.quantity)
    entry = Entry(tx.new_id(), EntryKind.WITHDRAWAL_RELEASED, proposal_id, reference=request.reference)
    none_left = Hold(HoldCause.WITHDRAWAL, proposal_id, NIL, key, 0)
    ledger.post(tx, entry, rules.release(key, request.quantity), [none_left])
    _announce(tx, account, _moved(entry, key, request.quantity), after)


def account_and_key(tx: Transaction, go_account_id: str, currency: str) -> tuple[GoAccount, BalanceKey]:
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
        _require_covered(before, key, wanted.quantity)
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


def _require_covered(balance: Balance, key: BalanceKey, quantity: int) -> None:
    shortfall = rules.missing_funds(balance, quantity)
    if shortfall:
        raise UnprocessableError(
            "insufficient_funds",
            f"the Go Account has {balance.available} {key.currency} available, {shortfall} too little",
            {
                "currency": key.currency,
                "available": str(balance.available),
                "shortfall": str(shortfall),
            },
        )


def _record(tx: Transaction, actor: Operator, account: GoAccount, outcome: CustodyOutcome) -> None:
    """Writes the audit record and the event of a movement."""
    movement = outcome.movement
    entry = Entry(movement.entry_id, movement.kind, movement.entry_id)
    moved = _moved(entry, movement.key, movement.quantity)
    by_token = {} if actor.deposit_token_id is None else {"tokenId": str(actor.deposit_token_id)}
    details = {"reference": movement.reference, **moved, **by_token}
    audit.record(tx, actor, f"{movement.kind}.made", account.id.hex, **details)
    _announce(tx, account, moved, outcome.balance)


def _moved(entry: Entry, key: BalanceKey, quantity: int) -> dict[str, object]:
    return {"entryId": str(entry.id), "kind": entry.kind, "currency": key.currency, "quantity": str(quantity)}


def _announce(tx: Transaction, account: GoAccount, moved: Mapping[str, object], balance: Balance) -> None:
    balances = {"available": str(balance.available), "held": str(balance.held)}
    payload = {"goAccountId": account.id.hex, **moved, **balances}
    outbox.record(tx, [Event(EventType.BALANCE_CHANGED, account.enterprise_id, account.id, payload)])
