"""What happens to a staged settlement: the end of its windows, execution and retries. Protocol §5.

Each step is one transaction that locks the partner, then the settlement, then its parties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from psycopg.errors import LockNotAvailable

from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.postgres.failures import failure_of
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import batches, events, finalization, funding, immediate, rules, staging, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import DueSettlement, FundingGap, Settlement, SettlementState, SettlementType
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import NO_OBJECTIONS
from clearwindow.standing_top_ups import use

log: Final = structlog.get_logger(__name__)
_FEWER: Final = 8


class _BatchFailedError(Exception):
    """A batch failed and was rolled back. Its cause is the reason."""


def advance(runtime: Runtime, due: DueSettlement) -> bool:
    """Takes the due steps of the settlement's partner. Returns False if another worker has the partner.

    Many settlements take theirs together. If one of them fails in a way that nobody expects, fewer are tried
    together, until those before it have taken their steps, and it is the first and is tried alone.
    """
    most = batches.MOST_SETTLEMENTS
    while True:
        try:
            return _advance(runtime, due, most)
        except _BatchFailedError as failed:
            # Without its traceback: the settlement that is to blame fails alone in the end, and is logged then.
            log.warning("batch_failed", partner_id=str(due.partner_id), most=most, error=repr(failed.__cause__))
            most //= _FEWER


def _advance(runtime: Runtime, due: DueSettlement, most: int) -> bool:
    """Takes the steps of a batch, or the next step of the due settlement if it is no case for a batch.

    Takes none of it if another settlement of the partner comes first by now: the next look finds that one.
    """
    with runtime.transaction() as tx:
        partner = parties.claim_partner(tx, due.partner_id)
        if partner is None:
            return False
        if _is_taken_in_batch(tx, partner, most):
            return True
        if not store.is_first_due(tx, due, SettlementType.OFFCHAIN):
            return True
        settlement = store.lock(tx, due.id)
        if settlement.state is SettlementState.DISPUTE_WINDOW:
            # Windows go on, whatever is paused.
            _finalise(tx, partner, settlement)
        elif pauses.standing_for_settlement(tx, settlement.id):
            # Paused since it was found. It is due again when it is resumed.
            return True
        elif settlement.closures_wait:
            _run_closures(tx, partner, settlement)
        else:
            _execute(tx, partner, settlement)
        return True


def _is_taken_in_batch(tx: Transaction, partner: Partner, most: int) -> bool:
    try:
        return most > 1 and batches.take(tx, partner, most) > 0
    except LockNotAvailable:
        raise
    except Exception as error:
        failure = failure_of(error)
        if failure is not None and failure.of_database:
            raise
        raise _BatchFailedError from error


def _finalise(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Ends the dispute window. What is disputed stays held for the dispute, the rest is final."""
    transfers.lock_parties(tx, settlement.id)
    # The disputes of a withdrawn settlement have ended with its own transfers.
    objections = NO_OBJECTIONS if settlement.is_without_new else disputes.objections(tx, settlement.id)
    if objections.standing:
        transfers.mark_disputed(tx, settlement.id, list(objections.standing.values()))
        targets = transfers.dispute_targets(tx, settlement.id, objections)
        if targets is not None:
            ledger.hand_holds_to_disputes(tx, partner.id, settlement.id, targets)
    due_at = tx.now() if settlement.execute_when_funded else settlement.top_up_deadline_at
    final = store.change_state(tx, settlement, SettlementState.TOP_UP_WINDOW, due_at=due_at)
    events.notify_all(tx, EventType.SETTLEMENT_FINALIZING, partner, final)
    finalization.owe_final_amounts(tx, partner, final)
    run = transfers.run(tx, settlement.id, without_new=settlement.is_without_new)
    plan = funding.plan(tx, partner, funding.seen_by_partner(run.net))
    if plan.gaps:
        events.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, final, plan.gaps)


def _execute(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Executes all final transfers or none of them."""
    run = transfers.run(tx, settlement.id, without_new=settlement.is_without_new)
    change = funding.seen_by_partner(run.net)
    plan = funding.plan(tx, partner, change)
    if plan.gaps:
        _wait_or_fail(tx, partner, settlement, plan.gaps)
        return
    if plan.top_ups:
        use.make(tx, partner, settlement.id, plan.top_ups, plan.locked)
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_EXECUTED, settlement.id, partner.id)
    objections = NO_OBJECTIONS if settlement.is_without_new else disputes.objections(tx, settlement.id)
    targets = transfers.dispute_targets(tx, settlement.id, objections)
    ledger.settle_run(tx, entry, run.moves, targets, partner.go_account_id, change)
    done = store.change_state(tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now())
    events.notify_all(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
    if any(quantity > 0 for quantity in change.values()):
        funding.wake_waiting(tx, [partner.id])


def _run_closures(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Executes the closures that a rejected settlement had taken, all of them or none."""
    run = transfers.run(tx, settlement.id, without_new=True)
    change = funding.seen_by_partner(run.net)
    plan = funding.plan(tx, partner, change)
    if plan.gaps:
        store.set_due(tx, settlement.id, None)
        events.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, settlement, plan.gaps)
        return
    if plan.top_ups:
        use.make(tx, partner, settlement.id, plan.top_ups, plan.locked)
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_EXECUTED, settlement.id, partner.id)
    ledger.settle_run(tx, entry, run.moves, None, partner.go_account_id, change)
    events.notify_balances(tx, partner, store.end_closures(tx, settlement))
    if any(quantity > 0 for quantity in change.values()):
        funding.wake_waiting(tx, [partner.id])


def _wait_or_fail(tx: Transaction, partner: Partner, settlement: Settlement, gaps: Sequence[FundingGap]) -> None:
    if settlement.state is SettlementState.TOP_UP_WINDOW and tx.now() < settlement.top_up_deadline_at:
        store.set_due(tx, settlement.id, settlement.top_up_deadline_at)
        return
    reason = rules.failure_reason(gaps)
    if settlement.state is SettlementState.FAILED:
        store.keep_failed(tx, settlement, reason)
        return
    failed = store.change_state(tx, settlement, SettlementState.FAILED, due_at=None, reason=reason)
    events.notify_all(tx, EventType.SETTLEMENT_FAILED, partner, failed)
    events.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, failed, gaps)


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str | None) -> Settlement:
    """Makes a failed settlement due at once, or the closures of a rejected one. A pending one stays as it is.

    An immediate settlement is tried before this returns: it has completed, or is still failed.

    Raises:
        UnprocessableError: something that the settlement touches is paused.
    """
    with runtime.transaction() as tx:
        partner, settlement = lock_both(tx, settlement_id)
        if settlement.state is SettlementState.FAILED or settlement.closures_wait:
            pause_rules.require_open(pauses.standing_for_settlement(tx, settlement.id))
        if settlement.immediate:
            rules.require_transition(settlement, SettlementState.COMPLETED)
            tried = immediate.attempt(tx, partner, settlement).settlement
            audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason, status=tried.state.value)
            return tried
        if settlement.state in (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW):
            return settlement
        if settlement.closures_wait:
            funding.wake_waiting(tx, [partner.id])
            audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason)
            return store.lock(tx, settlement.id)
        pending = staging.retry(tx, settlement)
        audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason)
        return pending


def lock_both(tx: Transaction, settlement_id: UUID | None) -> tuple[Partner, Settlement]:
    """Locks the partner of a settlement, then the settlement."""
    found = store.require(tx, settlement_id)
    partner = parties.lock_partner(tx, found.partner_id)
    return partner, store.lock(tx, found.id)
