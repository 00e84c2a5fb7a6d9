"""The second user's decision, and how an allocation that waited for it goes on. Protocol §4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import rules as money
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey
from clearwindow.allocations import rules, service, store, tellings
from clearwindow.allocations.values import Allocation, AllocationStatus, Refusal
from clearwindow.approvals import service as approvals
from clearwindow.approvals.values import Approval, ApprovalStatus
from clearwindow.database.pool import Transaction
from clearwindow.network import service as network
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Outcome:
    """The approval as decided, and the allocation that it was about, if it was about one."""

    approval: Approval
    allocation: Allocation | None
    replayed: bool


def decide(
    runtime: Runtime, member: Member, approval_id: UUID, decision: ApprovalStatus, notes: str | None
) -> Outcome:
    """Decides what waits for the enterprise's second user; an allocation goes on, or is released, with it."""
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        decided = approvals.decide(tx, member, approval_id, decision, notes)
        allocation = _allocation_of(tx, decided.approval)
        if allocation is not None and not decided.replayed:
            allocation = _go_on(tx, runtime, allocation, decision)
    return Outcome(decided.approval, allocation, decided.replayed)


def _allocation_of(tx: Transaction, approval: Approval) -> Allocation | None:
    if approval.allocation_id is None:
        return None
    found = store.find_allocation(tx, approval.allocation_id)
    if found is None:
        raise LookupError(f"the approval {approval.id} is about an allocation that does not exist")
    return found


def _go_on(tx: Transaction, runtime: Runtime, waited: Allocation, decision: ApprovalStatus) -> Allocation:
    client = network.client_by_id(tx, waited.client_id)
    connection = network.connection_of_client(tx, waited.client_id, waited.connection_id)
    partner = network.partner_by_id(tx, waited.partner_id)
    if client is None or connection is None or partner is None:
        raise LookupError(f"the allocation {waited.id} is of nobody")
    source = BalanceKey(client.go_account_id, waited.currency)
    destination = BalanceKey(connection.network_account_id, waited.currency)
    accounts.lock_balances(tx, [source, destination])
    done = _decided(waited, decision, rules.stopping(client, partner, connection), tx.now())
    store.move_allocation(tx, done, expected=waited.status)
    cleared = done.status is AllocationStatus.CLEARED
    movements = (
        money.clearing(source, destination, done.quantity) if cleared else money.release(source, done.quantity)
    )
    service.post(tx, runtime, done, movements, service.hold(done, source, 0))
    tellings.tell(tx, [done], client, partner, network.currency_map(tx, partner))
    return done


def _decided(waited: Allocation, decision: ApprovalStatus, stopped: Refusal | None, now: datetime) -> Allocation:
    if decision is ApprovalStatus.REJECTED:
        return rules.rejected(waited, now)
    passed = rules.approved(waited, now)
    return rules.cleared(passed, now) if stopped is None else rules.released(passed, stopped, now)
