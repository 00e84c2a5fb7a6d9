"""The course of a staged settlement: the end of its windows, its execution, retries and rejection. Protocol §5.

Each step is one transaction that takes the partner's lock, then the settlement's, then those of its parties.
"""

from __future__ import annotations

from uuid import UUID

from clearwindow.access.values import Operator
from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.disputes import service as disputes
from clearwindow.disputes.values import DisputeFilter
from clearwindow.errors import ConflictError, NotFoundError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.notices.values import EventType
from clearwindow.runtime import Runtime
from clearwindow.settlements import finalizing, funding, immediate, notifying, rules, staging, store
from clearwindow.settlements.values import DueSettlement, FundingGap, Settlement, SettlementState
from clearwindow.transfers import service as transfers


def advance(runtime: Runtime, due: DueSettlement) -> bool:
    """Takes the next step of a settlement whose time has come; False where another worker has its partner."""
    with runtime.transaction() as tx:
        partner = lookups.try_lock_partner(tx, due.partner_id)
        if partner is None:
            return False
        settlement = store.lock(tx, due.id)
        if settlement is None or settlement.due_at is None or settlement.due_at > tx.now():
            return True
        if settlement.state is SettlementState.DISPUTE_WINDOW:
            _finalise(runtime, tx, partner, settlement)
        else:
            _execute(runtime, tx, partner, settlement)
        return True


def _finalise(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Ends the dispute window: what is disputed stays held for the dispute, the rest is final."""
    transfers.lock_parties(tx, settlement.id)
    objections = disputes.objections(tx, settlement.id)
    if objections.standing:
        transfers.mark_disputed(tx, settlement.id, list(objections.standing.values()))
        transfers.compute_dispute_targets(tx, settlement.id, objections)
        batches.hand_holds_to_disputes(tx, partner.id, settlement.id)
    due_at = tx.now() if settlement.execute_when_funded else settlement.top_up_deadline_at
    final = store.change_state(tx, settlement, SettlementState.TOP_UP_WINDOW, due_at=due_at)
    notifying.notify_all(tx, EventType.SETTLEMENT_FINALIZING, partner, final)
    finalizing.owe_final_amounts(tx, runtime, partner, final)
    gaps = funding.gaps(tx, partner, funding.seen_by_partner(transfers.net_of_final(tx, settlement.id)))
    if gaps:
        notifying.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, final, gaps)


def _execute(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Executes all final transfers, or none."""
    change = _partner_change(tx, settlement)
    gaps = funding.gaps(tx, partner, change)
    if gaps:
        _wait_or_fail(tx, partner, settlement, gaps)
        return
    entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_EXECUTED, settlement.id, partner.id)
    batches.settle_run(tx, entry, partner.go_account_id, {name: by for name, by in change.items() if by != 0})
    done = store.change_state(tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now())
    notifying.notify_all(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
    if any(quantity > 0 for quantity in change.values()):
        funding.wake_waiting(tx, [partner.id])


def _partner_change(tx: Transaction, settlement: Settlement) -> dict[str, int]:
    """By how much executing would change the partner's account; makes the run that would do it."""
    net = transfers.compute_run(tx, settlement.id, disputes.objections(tx, settlement.id))
    return funding.seen_by_partner(net)


def _wait_or_fail(tx: Transaction, partner: Partner, settlement: Settlement, gaps: list[FundingGap]) -> None:
    if settlement.state is SettlementState.TOP_UP_WINDOW and tx.now() < settlement.top_up_deadline_at:
        store.set_due(tx, settlement.id, settlement.top_up_deadline_at)
        return
    reason = rules.failure_reason(gaps)
    if settlement.state is SettlementState.FAILED:
        store.keep_failed(tx, settlement, reason)
        return
    failed = store.change_state(tx, settlement, SettlementState.FAILED, due_at=None, reason=reason)
    notifying.notify_all(tx, EventType.SETTLEMENT_FAILED, partner, failed)
    notifying.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, failed, gaps)


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str | None) -> Settlement:
    """Has a failed settlement tried again at once; one that is pending already is left as it is.

    An immediate one has been tried when this returns, and has completed or is failed still.
    """
    with runtime.transaction() as tx:
        partner, settlement = _lock(tx, settlement_id)
        if settlement.immediate:
            rules.require_transition(settlement, SettlementState.COMPLETED)
            tried = immediate.attempt(runtime, tx, partner, settlement).settlement
            audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason, status=tried.state.value)
            return tried
        if settlement.state in (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW):
            return settlement
        revived = staging.revive(tx, settlement)
        audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason)
        return revived


def reject(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str) -> Settlement:
    """Ends a settlement without executing it and releases what it holds.

    Raises:
        ConflictError: it has ended otherwise, or it carries disputes, whose settling must not be undone.
    """
    with runtime.transaction() as tx:
        partner, settlement = _lock(tx, settlement_id)
        if settlement.state is SettlementState.REJECTED:
            return settlement
        rules.require_transition(settlement, SettlementState.REJECTED)
        transfers.lock_parties(tx, settlement.id)
        settling = DisputeFilter(settled_in_settlement_ids=[settlement.id], limit=1)
        if disputes.describe(tx, settling).items:
            raise ConflictError(
                "settlement_settles_disputes",
                "the settlement carries out closed disputes, which are settled once: fund the partner and retry it",
            )
        if disputes.is_disputed(tx, settlement.id):
            raise ConflictError(
                "settlement_disputed",
                "the settlement is disputed: close the disputes, or have them retracted, first",
            )
        entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_REJECTED, settlement.id, partner.id)
        batches.release_holds(tx, entry)
        now = tx.now()
        ended = store.change_state(
            tx, settlement, SettlementState.REJECTED, due_at=None, reason=reason, finalized_at=now
        )
        notifying.notify_all(tx, EventType.SETTLEMENT_REJECTED, partner, ended, balances_changed=True)
        audit.record(tx, operator, "settlement.reject", settlement.id, reason=reason)
        return ended


def _lock(tx: Transaction, settlement_id: UUID | None) -> tuple[Partner, Settlement]:
    found = store.find(tx, settlement_id) if settlement_id else None
    if found is None:
        raise NotFoundError("settlement_not_found", "there is no such settlement")
    partner = network.lock_partner(tx, found.partner_id)
    settlement = store.lock(tx, found.id)
    if settlement is None:
        raise LookupError("a settlement is never deleted")
    return partner, settlement
