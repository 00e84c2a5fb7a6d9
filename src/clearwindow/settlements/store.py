"""Reads and writes of settlements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.settlements.values import (
    DueSettlement,
    Settlement,
    SettlementFilter,
    SettlementState,
    SettlementType,
)

sql: Final = Queries("clearwindow.settlements")


def insert(tx: Transaction, settlement: Settlement) -> None:
    tx.run(
        sql["insert_settlement"],
        id=settlement.id,
        partner_id=settlement.partner_id,
        external_id=settlement.external_id,
        state=settlement.state,
        settlement_type=settlement.settlement_type,
        request_sha256=settlement.request_sha256,
        notes=settlement.notes,
        initiated_by=settlement.initiated_by,
        cutoff_at=settlement.cutoff_at,
        created_at=settlement.created_at,
        dispute_deadline_at=settlement.dispute_deadline_at,
        top_up_deadline_at=settlement.top_up_deadline_at,
        execute_when_funded=settlement.execute_when_funded,
        immediate=settlement.immediate,
        due_at=settlement.due_at,
        reason=settlement.reason,
        rt_id=settlement.rt_id,
    )


def set_staged_answer(tx: Transaction, settlement_id: UUID, answer: str) -> None:
    if tx.run(sql["set_staged_answer"], id=settlement_id, staged_answer=answer) != 1:
        raise AssertionError("the answer of a settlement is written once")


def find(tx: Transaction, settlement_id: UUID) -> Settlement | None:
    return _typed(tx.first(Settlement, sql["find_settlement"], id=settlement_id))


def lock(tx: Transaction, settlement_id: UUID) -> Settlement | None:
    return _typed(tx.first(Settlement, sql["lock_settlement"], id=settlement_id))


def find_by_external_id(tx: Transaction, partner_id: UUID, external_id: str) -> Settlement | None:
    values = {"partner_id": partner_id, "external_id": external_id}
    return _typed(tx.first(Settlement, sql["find_by_external_id"], **values))


def change_state(
    tx: Transaction,
    settlement: Settlement,
    to: SettlementState,
    *,
    due_at: datetime | None,
    reason: str | None = None,
    finalized_at: datetime | None = None,
) -> Settlement:
    """The one way a settlement changes state: from where it was read to be, exactly one row."""
    now = tx.now()
    values = {"due_at": due_at, "reason": reason, "finalized_at": finalized_at, "now": now}
    changed = tx.run(sql["change_state"], id=settlement.id, **{"from": settlement.state}, to=to, **values)
    if changed != 1:
        raise AssertionError("a locked settlement changed its state")
    return replace(settlement, state=to, due_at=due_at, reason=reason, finalized_at=finalized_at, updated_at=now)


def set_due(tx: Transaction, settlement_id: UUID, due_at: datetime | None) -> None:
    tx.run(sql["set_due"], id=settlement_id, due_at=due_at)


def keep_failed(tx: Transaction, settlement: Settlement, reason: str) -> Settlement:
    """A retry found the account still short, perhaps of something else."""
    now = tx.now()
    if tx.run(sql["keep_failed"], id=settlement.id, reason=reason, now=now) != 1:
        raise AssertionError("a locked settlement changed its state")
    return replace(settlement, due_at=None, reason=reason, updated_at=now, attempts=0, last_error=None)


def record_failed_attempt(tx: Transaction, settlement_id: UUID, error: str) -> None:
    tx.run(sql["record_failed_attempt"], id=settlement_id, error=error, now=tx.now())


def claim_step(tx: Transaction, settlement_id: UUID, due_at: datetime) -> None:
    tx.run(sql["claim_step"], id=settlement_id, due_at=due_at)


def record_failed_step(tx: Transaction, settlement_id: UUID, error: str) -> None:
    tx.run(sql["record_failed_step"], id=settlement_id, error=error, now=tx.now())


def mark_sla_alerts(tx: Transaction, settlement_id: UUID, *, loss: bool, gain: bool) -> None:
    tx.run(sql["mark_sla_alerts"], id=settlement_id, loss=loss, gain=gain, now=tx.now())


def wake_waiting(tx: Transaction, partner_ids: Sequence[UUID]) -> int:
    return tx.run(sql["wake_waiting"], partner_ids=list(partner_ids), now=tx.now())


def list_due(tx: Transaction, kind: SettlementType, limit: int) -> list[DueSettlement]:
    """What is due, one settlement of each partner: its others wait for that one, whoever works on them."""
    return tx.all(DueSettlement, sql["list_due"], now=tx.now(), settlement_type=kind, limit=limit)


def next_due_at(tx: Transaction, kind: SettlementType) -> datetime | None:
    return tx.scalars(datetime, sql["next_due_at"], settlement_type=kind)[0]


def count_due(tx: Transaction, kind: SettlementType) -> int:
    return tx.scalars(int, sql["count_due"], now=tx.now(), settlement_type=kind)[0]


def list_work(tx: Transaction, limit: int, offset: int) -> Listing[Settlement]:
    return _page(list_page(tx, Settlement, sql["list_work"], {}, limit=limit, offset=offset))


def list_settlements(tx: Transaction, wanted: SettlementFilter) -> Listing[Settlement]:
    filters = {
        "partner_ids": _array(wanted.partner_ids),
        "own_connection_ids": _array(wanted.own_connection_ids),
        "party_connection_ids": _array(wanted.party_connection_ids),
        "counterparty_connection_ids": _array(wanted.counterparty_connection_ids),
        "settlement_ids": _array(wanted.settlement_ids),
        "external_ids": _array(wanted.external_ids),
        "states": _array(wanted.states),
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
        "updated_on_or_after": wanted.updated_on_or_after,
        "updated_before": wanted.updated_before,
        "only_disputed": wanted.only_disputed,
    }
    statement = sql["list_settlements"]
    return _page(list_page(tx, Settlement, statement, filters, limit=wanted.limit, offset=wanted.offset))


def _page(page: Listing[Settlement]) -> Listing[Settlement]:
    return Listing(_all_typed(page.items), page.total)


def _typed(row: Settlement | None) -> Settlement | None:
    return _all_typed([row])[0] if row else None


def _all_typed(rows: Sequence[Settlement]) -> list[Settlement]:
    return [
        replace(row, state=SettlementState(row.state), settlement_type=SettlementType(row.settlement_type))
        for row in rows
    ]


def _array(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)
