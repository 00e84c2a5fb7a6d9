"""Ending a settlement without executing it. Protocol §5.

One operator does that alone as long as nobody disputes it and it carries no closures; else two do.
"""

from __future__ import annotations

from uuid import UUID

from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, execution, proposals, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import Proposal, ProposedAct, Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers


def reject(runtime: Runtime, operator: Operator, settlement_id: UUID | None, reason: str) -> Settlement | Proposal:
    """Ends a settlement and releases what it holds. The transfers of closures that it has taken still run.

    Returns the proposal if another operator must confirm it: the settlement is disputed or carries closures.

    Raises:
        ConflictError: it has completed.
    """
    with runtime.transaction() as tx:
        partner, settlement = execution.lock_both(tx, settlement_id)
        if settlement.state is SettlementState.REJECTED:
            return settlement
        rules.require_transition(settlement, SettlementState.REJECTED)
        # Under this lock no dispute is raised, retracted or closed.
        transfers.lock_parties(tx, settlement.id)
        if disputes.settles_disputes(tx, settlement.id) or disputes.is_disputed(tx, settlement.id):
            proposal = proposals.confirm_or_propose(
                tx, operator, ProposedAct.REJECT_SETTLEMENT, settlement.id, reason
            )
            if proposal is not None:
                return proposal
        ended = _end(tx, partner, settlement, reason)
        audit.record(tx, operator, "settlement.reject", settlement.id, reason=reason)
        return ended


def _end(tx: Transaction, partner: Partner, settlement: Settlement, reason: str) -> Settlement:
    """Ends the settlement's own transfers, disputed ones too. Keeps held what the transfers of closures take."""
    standing = disputes.objections(tx, settlement.id).standing
    remaining = transfers.remaining_liabilities(tx, settlement.id, without_new=True)
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_REJECTED, settlement.id, partner.id)
    if ledger.replace_holds(tx, entry, settlement.id, remaining, list(standing)):
        raise AssertionError("a settlement held less than the closures that it has taken need")
    now = tx.now()
    wait = transfers.count_running_closures(tx, settlement.id) > 0
    ended = store.change_state(
        tx,
        settlement,
        SettlementState.REJECTED,
        due_at=rules.closures_due_at(settlement, now) if wait else None,
        reason=reason,
        finalized_at=now,
        closures_wait=wait,
    )
    events.notify_all(tx, EventType.SETTLEMENT_REJECTED, partner, ended, balances_changed=True)
    return ended
