"""Cancelling a closure that a settlement has taken and cannot carry out. Protocol §6."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import NotFoundError, UnprocessableError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind, Shortfall
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, funding, proposals, store
from clearwindow.settlements.disputes import rules as dispute_rules
from clearwindow.settlements.disputes import service
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import Closure
from clearwindow.settlements.models import Proposal, ProposedAct, Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers


def cancel_closure(
    runtime: Runtime, operator: Operator, closure_id: UUID | None, reason: str | None
) -> Closure | Proposal:
    """Ends the transfers of a closure in the settlement that has taken it. What is owed belongs in a later one.

    Returns the proposal if another operator must confirm it.

    Raises:
        ConflictError: no settlement has taken the closure, or one has carried it out.
        UnprocessableError: a gain of the closure covers losses of the settlement that nothing else covers.
    """
    with runtime.transaction() as tx:
        found = disputes.find_closure(tx, closure_id) if closure_id else None
        if found is None:
            raise NotFoundError("closure_not_found", "there is no such dispute closure")
        # Read after the lock: only under it a closure is taken, carried out or cancelled.
        partner = parties.lock_partner(tx, found.partner_id)
        closure = disputes.find_closure(tx, found.id) or found
        dispute = disputes.existing_dispute(tx, found.dispute_id)
        if closure.cancelled_at is not None:
            return closure
        settling = dispute.settled_in_settlement_id
        settlement = store.lock(tx, settling) if settling else None
        dispute_rules.require_cancellable(closure, dispute, ran=settlement is not None and _has_run(settlement))
        if settlement is None:
            raise AssertionError("a closure that can be cancelled is in a settlement")
        proposal = proposals.confirm_or_propose(tx, operator, ProposedAct.CANCEL_CLOSURE, closure.id, reason)
        if proposal is not None:
            return proposal
        disputes.cancel_closure(tx, closure.id)
        _release(tx, partner, settlement, closure)
        _announce(tx, partner, settlement, closure)
        audit.record(tx, operator, "dispute_closure.cancel", closure.id, reason=reason, disputeId=str(dispute.id))
        return disputes.find_closure(tx, closure.id) or closure


def _has_run(settlement: Settlement) -> bool:
    if settlement.state is SettlementState.REJECTED:
        return not settlement.closures_wait
    return settlement.state is SettlementState.COMPLETED


def _release(tx: Transaction, partner: Partner, settlement: Settlement, closure: Closure) -> None:
    """Makes the settlement hold what its other transfers take."""
    rejected = settlement.state is SettlementState.REJECTED
    remaining = transfers.remaining_liabilities(tx, settlement.id, without_new=rejected)
    entry = Entry(tx.new_id(), EntryKind.DISPUTE_CLOSURE_CANCELLED, closure.id, partner.id)
    short = ledger.replace_holds(tx, entry, settlement.id, remaining)
    if short:
        raise _not_covered(tx, partner, short)
    if settlement.closures_wait and transfers.count_running_closures(tx, settlement.id) == 0:
        store.end_closures(tx, settlement)
    # The settlement may need less of the partner now, or nothing.
    funding.wake_waiting(tx, [partner.id])


def _announce(tx: Transaction, partner: Partner, settlement: Settlement, closure: Closure) -> None:
    dispute = disputes.lock_dispute(tx, closure.dispute_id)
    disputes.touch(tx, dispute.id)
    service.announce(tx, EventType.DISPUTE_REVIEWED, dispute, closureId=str(closure.id), decision="cancelled")
    events.notify_balances(tx, partner, settlement)


def _not_covered(tx: Transaction, partner: Partner, short: list[Shortfall]) -> UnprocessableError:
    return UnprocessableError(
        "cancellation_not_covered",
        "a gain of this closure covers losses of the same settlement that nothing else covers: reject the"
        " settlement first, or cancel the closure that loses, or have the clients allocate more",
        {"shortfalls": funding.connection_shortfalls(tx, partner, short)},
    )
