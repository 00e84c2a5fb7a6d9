"""Ending a settlement without executing it. Protocol §5.

One operator does that alone as long as nobody disputes it and it carries no closures; else two do.
"""

from __future__ import annotations

from uuid import UUID

from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.acts import Scene
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import events, execution, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers


def lock_for_rejection(tx: Transaction, settlement_id: UUID) -> tuple[Partner, Settlement]:
    """Locks the settlement and all that can dispute it.

    Raises:
        ConflictError: it has completed.
    """
    partner, settlement = execution.lock_both(tx, settlement_id)
    if settlement.state is not SettlementState.REJECTED:
        rules.require_transition(settlement, SettlementState.REJECTED)
        # Under this lock no dispute is raised, retracted or closed.
        transfers.lock_parties(tx, settlement.id)
    return partner, settlement


def what_it_ends(tx: Transaction, settlement: Settlement) -> dict[str, str | None]:
    """Returns the disputes and closures of a locked settlement. Nothing: it is no concern of others."""
    if not disputes.settles_disputes(tx, settlement.id) and not disputes.is_disputed(tx, settlement.id):
        return {}
    standing = ", ".join(sorted(map(str, disputes.objections(tx, settlement.id).standing)))
    return {"disputes": standing, "runningClosures": str(transfers.count_running_closures(tx, settlement.id))}


def reject(scene: Scene, settlement_id: UUID, reason: str) -> Settlement:
    """Ends a settlement and releases what it holds. The transfers of closures that it has taken still run.

    Raises:
        ConflictError: it has completed.
    """
    tx = scene.tx
    partner, settlement = lock_for_rejection(tx, settlement_id)
    if settlement.state is SettlementState.REJECTED:
        return settlement
    ended = _end(tx, partner, settlement, reason)
    audit.record(tx, scene.operator, "settlement.reject", settlement.id, reason=reason)
    return ended


def release_own(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Releases what is held for a locked settlement's own transfers, disputed ones too.

    What the transfers of closures take stays held.
    """
    standing = disputes.objections(tx, settlement.id).standing
    remaining = transfers.remaining_liabilities(tx, settlement.id, without_new=True)
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_REJECTED, settlement.id, partner.id)
    if ledger.replace_holds(tx, entry, settlement.id, remaining, list(standing)):
        raise AssertionError("a settlement held less than the closures that it has taken need")


def _end(tx: Transaction, partner: Partner, settlement: Settlement, reason: str) -> Settlement:
    """Ends the settlement's own transfers. Those of closures still run."""
    release_own(tx, partner, settlement)
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
