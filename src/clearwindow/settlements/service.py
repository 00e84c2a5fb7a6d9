"""What rooms above may do with settlements whose course they run themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.errors import NotFoundError
from clearwindow.settlements import rules, store
from clearwindow.settlements.values import DueSettlement, Settlement, SettlementState, SettlementType


def find_by_external_id(tx: Transaction, partner_id: UUID, external_id: str) -> Settlement | None:
    return store.find_by_external_id(tx, partner_id, external_id)


def find(tx: Transaction, settlement_id: UUID) -> Settlement | None:
    return store.find(tx, settlement_id)


def require(tx: Transaction, settlement_id: UUID | None) -> Settlement:
    found = store.find(tx, settlement_id) if settlement_id else None
    if found is None:
        raise NotFoundError("settlement_not_found", "there is no such settlement")
    return found


def lock(tx: Transaction, settlement_id: UUID) -> Settlement:
    """A settlement that exists; the caller has locked its partner."""
    settlement = store.lock(tx, settlement_id)
    if settlement is None:
        raise LookupError("a settlement is never deleted")
    return settlement


def set_staged_answer(tx: Transaction, settlement_id: UUID, answer: str) -> None:
    store.set_staged_answer(tx, settlement_id, answer)


def change_state(
    tx: Transaction,
    settlement: Settlement,
    to: SettlementState,
    *,
    due_at: datetime | None,
    reason: str | None = None,
    finalized_at: datetime | None = None,
) -> Settlement:
    """Takes a locked settlement to another state, where the table of transitions has it."""
    rules.require_transition(settlement, to)
    return store.change_state(tx, settlement, to, due_at=due_at, reason=reason, finalized_at=finalized_at)


def set_due(tx: Transaction, settlement_id: UUID, due_at: datetime | None) -> None:
    """The step is done; this is when the next one is due."""
    store.set_due(tx, settlement_id, due_at)


def claim_step(tx: Transaction, settlement_id: UUID, until: datetime) -> None:
    """Keeps other workers from a step that calls out, until this time at most."""
    store.claim_step(tx, settlement_id, until)


def record_failed_step(tx: Transaction, settlement_id: UUID, error: str) -> None:
    store.record_failed_step(tx, settlement_id, error)


def mark_sla_alerts(tx: Transaction, settlement_id: UUID, *, loss: bool, gain: bool) -> None:
    store.mark_sla_alerts(tx, settlement_id, loss=loss, gain=gain)


def list_due(tx: Transaction, kind: SettlementType, limit: int) -> list[DueSettlement]:
    return store.list_due(tx, kind, limit)


def next_due_at(tx: Transaction, kind: SettlementType) -> datetime | None:
    return store.next_due_at(tx, kind)


def count_due(tx: Transaction, kind: SettlementType) -> int:
    return store.count_due(tx, kind)
