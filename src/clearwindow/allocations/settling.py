"""The two ends of a reserved allocation: its funds go on, or they go back.

Each is one guarded change of state with the journal entry that belongs to it. Whoever calls holds the allocation's
row, or has made it in the same transaction, and tells both sides (``tellings``).
"""

from __future__ import annotations

from clearwindow.accounts import rules as money
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey, Entry, Hold, Movement
from clearwindow.allocations import rules, store
from clearwindow.allocations.parties import Parties
from clearwindow.allocations.values import Allocation, AllocationStatus, Refusal
from clearwindow.database.pool import Transaction
from clearwindow.runtime import Runtime


def reserve(tx: Transaction, runtime: Runtime, new: Allocation, parties: Parties) -> Allocation:
    """Writes the record and holds its funds, which the caller has found to be there."""
    source, _ = parties.ends(new.type, new.currency)
    store.insert_allocation(tx, new)
    _post(tx, runtime, new, money.reservation(source, new.quantity), _hold(new, source, new.quantity))
    return new


def wait(tx: Transaction, reserved: Allocation, reason: str, *, retriable: bool) -> Allocation:
    """Leaves it reserved; ``retriable`` exactly as long as the partner is still to be asked."""
    waiting = rules.waiting(reserved, reason, tx.now(), retriable=retriable)
    store.move_allocation(tx, waiting, expected=AllocationStatus.RESERVED)
    return waiting


def clear(tx: Transaction, runtime: Runtime, reserved: Allocation, parties: Parties) -> Allocation:
    source, destination = parties.ends(reserved.type, reserved.currency)
    accounts.lock_balances(tx, [source, destination])
    done = rules.cleared(reserved, tx.now())
    store.move_allocation(tx, done, expected=AllocationStatus.RESERVED)
    _post(tx, runtime, done, money.clearing(source, destination, done.quantity), _hold(done, source, 0))
    return done


def release(
    tx: Transaction,
    runtime: Runtime,
    reserved: Allocation,
    parties: Parties,
    why: Refusal,
    reason: str | None = None,
) -> Allocation:
    """Gives the held funds back; ``reason`` is the refusal's own where none is given."""
    source, _ = parties.ends(reserved.type, reserved.currency)
    accounts.lock_balances(tx, [source])
    done = rules.released(reserved, why, tx.now(), reason)
    store.move_allocation(tx, done, expected=AllocationStatus.RESERVED)
    _post(tx, runtime, done, money.release(source, done.quantity), _hold(done, source, 0))
    return done


def _post(tx: Transaction, runtime: Runtime, allocation: Allocation, movements: list[Movement], hold: Hold) -> None:
    kind = rules.ENTRY_KINDS[allocation.type, allocation.status]
    entry = Entry(runtime.ids.new(), kind, allocation.id, allocation.partner_id, allocation.client_external_id)
    accounts.post(tx, entry, movements, [hold])


def _hold(allocation: Allocation, source: BalanceKey, quantity: int) -> Hold:
    cause = rules.HOLD_CAUSES[allocation.type]
    return Hold(cause, allocation.id, allocation.partner_id, source, quantity)
