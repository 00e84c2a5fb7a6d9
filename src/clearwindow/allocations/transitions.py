"""The steps of an allocation: reserve, wait, clear, release.

Each step changes the state once and posts the journal entry that belongs to it. The caller holds the lock on the
allocation's row, or has inserted it in the same transaction, and records the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clearwindow.allocations import rules, store
from clearwindow.allocations.models import Allocation, AllocationStatus, AllocationType, Parties, Refusal
from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.ledger import rules as money
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Entry, Hold, Movement
from clearwindow.network import store as network
from clearwindow.network.models import Client, Connection
from clearwindow.network.parties import require_client
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Funding


def parties_of_request(tx: Transaction, member: Member, connection_id: UUID) -> Parties:
    """Returns the parties of a client's request on one of its connections.

    Raises:
        NotFoundError: the client has no connection with this id.
    """
    client = require_client(tx, member.enterprise_id)
    connection = network.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise NotFoundError("connection_unknown", "the enterprise has no connection with this id")
    return _parties(tx, client, connection)


def parties_of(tx: Transaction, allocation: Allocation) -> Parties:
    """Returns the parties of a recorded allocation."""
    client = network.find_client(tx, client_id=allocation.client_id)
    connection = network.connection_of_client(tx, allocation.client_id, allocation.connection_id)
    if client is None or connection is None:
        raise LookupError(f"the allocation {allocation.id} has no client or no connection")
    return _parties(tx, client, connection)


def reserve(tx: Transaction, new: Allocation, parties: Parties) -> Allocation:
    """Inserts the record and holds its funds. The caller has checked that they are available."""
    source, _ = parties.ends(new.type, new.currency)
    store.insert_allocation(tx, new)
    _post(tx, new, money.reservation(source, new.quantity), _hold(new, source, new.quantity))
    return new


def wait(tx: Transaction, reserved: Allocation, reason: str, *, retriable: bool) -> Allocation:
    """Leaves the allocation reserved. ``retriable`` is True as long as the partner must still be asked."""
    waiting = rules.waiting(reserved, reason, tx.now(), retriable=retriable)
    store.move_allocation(tx, waiting, expected=AllocationStatus.RESERVED)
    return waiting


def clear(tx: Transaction, reserved: Allocation, parties: Parties, funding: Funding) -> Allocation:
    """Moves the held funds to their destination. Settlements that wait for what a deallocation brings are woken."""
    source, destination = parties.ends(reserved.type, reserved.currency)
    waiting = lock_waiting(tx, parties, funding) if reserved.type is AllocationType.DEALLOCATION else []
    ledger.lock_balances(tx, [source, destination])
    done = rules.cleared(reserved, tx.now())
    store.move_allocation(tx, done, expected=AllocationStatus.RESERVED)
    _post(tx, done, money.clearing(source, destination, done.quantity), _hold(done, source, 0))
    funding.wake_waiting(tx, waiting)
    return done


def release(
    tx: Transaction,
    reserved: Allocation,
    parties: Parties,
    funding: Funding,
    why: Refusal,
    reason: str | None = None,
) -> Allocation:
    """Gives the held funds back. Without ``reason`` the record has the text of the refusal.

    Settlements that wait for what an allocation gives back are woken.
    """
    source, _ = parties.ends(reserved.type, reserved.currency)
    waiting = lock_waiting(tx, parties, funding) if reserved.type is AllocationType.ALLOCATION else []
    ledger.lock_balances(tx, [source])
    done = rules.released(reserved, why, tx.now(), reason)
    store.move_allocation(tx, done, expected=AllocationStatus.RESERVED)
    _post(tx, done, money.release(source, done.quantity), _hold(done, source, 0))
    funding.wake_waiting(tx, waiting)
    return done


def lock_waiting(tx: Transaction, parties: Parties, funding: Funding) -> Sequence[UUID]:
    """Locks the partners that money on the client's Go Account can help, and returns their ids.

    Money is about to reach it. Partners are locked before balances, as in an execution.
    """
    return funding.lock_partners_of(tx, parties.client.go_account_id)


def _parties(tx: Transaction, client: Client, connection: Connection) -> Parties:
    partner = network.existing_partner(tx, connection.partner_id)
    return Parties(client, partner, connection, network.currency_map(tx, partner))


def _post(tx: Transaction, allocation: Allocation, movements: list[Movement], hold: Hold) -> None:
    kind = rules.ENTRY_KINDS[allocation.type, allocation.status]
    entry = Entry(tx.new_id(), kind, allocation.id, allocation.partner_id, allocation.client_external_id)
    ledger.post(tx, entry, movements, [hold])


def _hold(allocation: Allocation, source: BalanceKey, quantity: int) -> Hold:
    cause = rules.HOLD_CAUSES[allocation.type]
    return Hold(cause, allocation.id, allocation.partner_id, source, quantity)
