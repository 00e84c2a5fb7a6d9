"""Cancelling a closure that a settlement has taken and cannot carry out. Protocol §6."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from clearwindow.core.errors import NotFoundError, UnprocessableError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.acts import Scene
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind, Shortfall
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import events, funding, store
from clearwindow.settlements.disputes import rules as dispute_rules
from clearwindow.settlements.disputes import service
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import Closure
from clearwindow.settlements.models import Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers


@dataclass(frozen=True, slots=True)
class Taken:
    """A closure with its partner and the settlement that has taken it, all locked. None: it is cancelled."""

    closure: Closure
    partner: Partner
    settlement: Settlement | None


def lock_taken(tx: Transaction, closure_id: UUID | None) -> Taken:
    """Returns the closure if it can be cancelled, or was.

    Raises:
        NotFoundError: there is no such closure.
        ConflictError: no settlement has taken it, or one has carried it out.
    """
    found = disputes.find_closure(tx, closure_id) if closure_id else None
    if found is None:
        raise NotFoundError("closure_not_found", "there is no such dispute closure")
    # Read after the lock: only under it a closure is taken, carried out or cancelled.
    partner = parties.lock_partner(tx, found.partner_id)
    closure = disputes.find_closure(tx, found.id) or found
    if closure.cancelled_at is not None:
        return Taken(closure, partner, None)
    dispute = disputes.existing_dispute(tx, found.dispute_id)
    settling = dispute.settled_in_settlement_id
    settlement = store.lock(tx, settling) if settling else None
    dispute_rules.require_cancellable(closure, dispute, ran=settlement is not None and _has_run(settlement))
    if settlement is None:
        raise AssertionError("a closure that can be cancelled is in a settlement")
    return Taken(closure, partner, settlement)


def cancel_closure(scene: Scene, closure_id: UUID | None, reason: str | None) -> Closure:
    """Ends the transfers of a closure in the settlement that has taken it. What is owed belongs in a later one.

    Raises:
        ConflictError: no settlement has taken the closure, or one has carried it out.
        UnprocessableError: a gain of the closure covers losses of the settlement that nothing else covers.
    """
    tx = scene.tx
    taken = lock_taken(tx, closure_id)
    closure, partner, settlement = taken.closure, taken.partner, taken.settlement
    if settlement is None:
        return closure
    disputes.cancel_closure(tx, closure.id)
    _release(tx, partner, settlement, closure)
    _announce(tx, partner, settlement, closure)
    details = {"reason": reason, "disputeId": str(closure.dispute_id)}
    audit.record(tx, scene.operator, "dispute_closure.cancel", closure.id, **details)
    return disputes.find_closure(tx, closure.id) or closure


def _has_run(settlement: Settlement) -> bool:
    if settlement.state is SettlementState.REJECTED:
        return not settlement.closures_wait
    return settlement.state is SettlementState.COMPLETED


def _release(tx: Transaction, partner: Partner, settlement: Settlement, closure: Closure) -> None:
    """Makes the settlement hold what its other transfers take."""
    remaining = transfers.remaining_liabilities(tx, settlement.id, without_new=settlement.is_without_new)
    entry = Entry(tx.new_id(), EntryKind.DISPUTE_CLOSURE_CANCELLED, closure.id, partner.id)
    short = ledger.replace_holds(tx, entry, settlement.id, remaining)
    if short:
        raise _not_covered(tx, partner, short)
    if transfers.count_running_closures(tx, settlement.id) == 0:
        _end_with_the_last(tx, partner, settlement)
    # The settlement may need less of the partner now, or nothing.
    funding.wake_waiting(tx, [partner.id])


def _end_with_the_last(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Ends a settlement of which nothing but closures was left, and now nothing is."""
    if settlement.closures_wait:
        store.end_closures(tx, settlement)
    elif settlement.withdrawn_at is not None:
        reason, rejected = settlement.withdrawn_reason, SettlementState.REJECTED
        ended = store.change_state(tx, settlement, rejected, due_at=None, reason=reason, finalized_at=tx.now())
        # The cancellation itself tells of the balances.
        events.notify_all(tx, EventType.SETTLEMENT_REJECTED, partner, ended)


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
