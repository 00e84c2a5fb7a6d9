"""Reads and writes of settlements. `change_state` alone changes their state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.core.errors import NotFoundError
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Order, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.settlements import rules
from clearwindow.settlements.models import (
    AmountScale,
    DueSettlement,
    Settlement,
    SettlementFilter,
    SettlementState,
    SettlementType,
    Withdrawal,
    WorkFilter,
)

sql: Final = Queries("clearwindow.settlements")
_EARLIEST_DUE_FIRST: Final = Order({"due_at": datetime, "id": UUID}, descending=False)
_NO_SETTLEMENT: Final = "there is no such settlement"


def insert(tx: Transaction, settlement: Settlement, scale: AmountScale) -> None:
    tx.tell(
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
        amount_scale=Jsonb(scale),
        warnings=list(settlement.warnings),
    )


def find_amount_scale(tx: Transaction, settlement_id: UUID) -> AmountScale | None:
    """Returns what the settlement's amounts were scaled with, None if an older version made it."""
    (scale,) = tx.scalars(object, sql["find_amount_scale"], id=settlement_id)
    if not isinstance(scale, dict):
        return None
    return {name: (currency, decimals) for name, (currency, decimals) in scale.items()}


def last_cutoff(tx: Transaction, partner_id: UUID) -> Later[datetime | None]:
    """Returns the cutoff of the partner's last settlement that has one and was not rejected."""
    found = tx.ask.scalars(datetime, sql["last_cutoff"], partner_id=partner_id)
    return found.then(lambda cutoffs: cutoffs[0] if cutoffs else None)


def set_staged_answer(tx: Transaction, settlement_id: UUID, answer: str) -> Later[None]:
    return tx.ask.run(sql["set_staged_answer"], id=settlement_id, staged_answer=answer).then(_require_one_answer)


def _require_one_answer(written: int) -> None:
    if written != 1:
        raise AssertionError("the answer of a settlement is written once")


def find(tx: Transaction, settlement_id: UUID) -> Settlement | None:
    return tx.first(Settlement, sql["find_settlement"], id=settlement_id)


def require(tx: Transaction, settlement_id: UUID | None) -> Settlement:
    """Returns the settlement with the id of a request.

    Raises:
        NotFoundError: there is no such settlement.
    """
    found = find(tx, settlement_id) if settlement_id else None
    if found is None:
        raise NotFoundError("settlement_not_found", _NO_SETTLEMENT)
    return found


def lock(tx: Transaction, settlement_id: UUID) -> Settlement:
    """Locks a settlement that exists: none is ever deleted. The caller has locked its partner."""
    return tx.one(Settlement, sql["lock_settlement"], id=settlement_id)


def find_by_external_id(tx: Transaction, partner_id: UUID, external_id: str) -> Later[Settlement | None]:
    values = {"partner_id": partner_id, "external_id": external_id}
    return tx.ask.first(Settlement, sql["find_by_external_id"], **values)


def find_of_enterprise(tx: Transaction, enterprise_id: str, external_id: str) -> Later[Settlement | None]:
    """Returns the settlement with this external id of the partner that the enterprise is."""
    values = {"enterprise_id": enterprise_id, "external_id": external_id}
    return tx.ask.first(Settlement, sql["find_of_enterprise"], **values)


def change_state(
    tx: Transaction,
    settlement: Settlement,
    to: SettlementState,
    *,
    due_at: datetime | None,
    reason: str | None = None,
    finalized_at: datetime | None = None,
    closures_wait: bool = False,
) -> Settlement:
    """Takes a locked settlement to another state. Nothing else changes the state of a settlement.

    Raises:
        ConflictError: the table of transitions does not have this change.
    """
    rules.require_transition(settlement, to)
    now = tx.now()
    new = {"due_at": due_at, "reason": reason, "finalized_at": finalized_at, "closures_wait": closures_wait}
    changed = tx.run(sql["change_state"], id=settlement.id, **{"from": settlement.state}, to=to, now=now, **new)
    if changed != 1:
        raise AssertionError("a locked settlement changed its state")
    return replace(
        settlement,
        state=to,
        due_at=due_at,
        reason=reason,
        finalized_at=finalized_at,
        closures_wait=closures_wait,
        updated_at=now,
    )


def change_states(
    tx: Transaction,
    settlements: Sequence[Settlement],
    to: SettlementState,
    *,
    due_at: Mapping[UUID, datetime],
    finalized_at: datetime | None = None,
) -> list[Settlement]:
    """Does the same for many locked settlements of one partner, without a reason. Nothing is due without a time."""
    for settlement in settlements:
        rules.require_transition(settlement, to)
    now = tx.now()
    changed = tx.run(
        sql["change_states"],
        ids=[settlement.id for settlement in settlements],
        states=[str(settlement.state) for settlement in settlements],
        due_times=[due_at.get(settlement.id) for settlement in settlements],
        to=to,
        finalized_at=finalized_at,
        now=now,
    )
    if changed != len(settlements):
        raise AssertionError("a locked settlement changed its state")
    return [
        replace(
            settlement,
            state=to,
            due_at=due_at.get(settlement.id),
            reason=None,
            finalized_at=finalized_at,
            closures_wait=False,
            updated_at=now,
            attempts=0,
            last_error=None,
        )
        for settlement in settlements
    ]


def set_withdrawn(tx: Transaction, settlement: Settlement, how: Withdrawal) -> Settlement:
    """Records that the partner has taken a locked settlement back. Its own transfers run no more."""
    values = {"reason": how.reason, "user_id": how.user_id, "now": how.at}
    if tx.run(sql["set_withdrawn"], id=settlement.id, **values) != 1:
        raise AssertionError("a locked settlement was withdrawn or changed its state")
    return replace(settlement, withdrawn_at=how.at, withdrawn_reason=how.reason, updated_at=how.at)


def require_of_partner(tx: Transaction, partner_id: UUID, settlement_id: UUID | None) -> Settlement:
    """Returns the partner's settlement with the id of a request.

    Raises:
        NotFoundError: there is none, or it is another partner's.
    """
    found = require(tx, settlement_id)
    if found.partner_id != partner_id:
        raise NotFoundError("settlement_not_found", _NO_SETTLEMENT)
    return found


def end_closures(tx: Transaction, settlement: Settlement) -> Settlement:
    """Records that no closure of a rejected settlement has transfers to run any more."""
    now = tx.now()
    if tx.run(sql["end_closures"], id=settlement.id, now=now) != 1:
        raise AssertionError("the closures of a locked settlement ended")
    return replace(settlement, closures_wait=False, due_at=None, updated_at=now, attempts=0, last_error=None)


def set_due(tx: Transaction, settlement_id: UUID, due_at: datetime | None) -> None:
    """Records that a step is done, and when the next one is due."""
    tx.run(sql["set_due"], id=settlement_id, due_at=due_at)


def keep_failed(tx: Transaction, settlement: Settlement, reason: str) -> Settlement:
    """Records that a retry failed again, perhaps for another reason."""
    now = tx.now()
    if tx.run(sql["keep_failed"], id=settlement.id, reason=reason, now=now) != 1:
        raise AssertionError("a locked settlement changed its state")
    return replace(settlement, due_at=None, reason=reason, updated_at=now, attempts=0, last_error=None)


def record_failed_attempt(tx: Transaction, settlement_id: UUID, error: str) -> None:
    tx.run(sql["record_failed_attempt"], id=settlement_id, error=error, now=tx.now())


def claim_step(tx: Transaction, settlement_id: UUID, due_at: datetime) -> None:
    """Keeps other workers from a step that calls out, until ``due_at`` at the latest."""
    tx.run(sql["claim_step"], id=settlement_id, due_at=due_at)


def record_failed_step(tx: Transaction, settlement_id: UUID, error: str) -> None:
    tx.run(sql["record_failed_step"], id=settlement_id, error=error, now=tx.now())


def mark_sla_alerts(tx: Transaction, settlement_id: UUID, *, loss: bool, gain: bool) -> None:
    tx.run(sql["mark_sla_alerts"], id=settlement_id, loss=loss, gain=gain, now=tx.now())


def wake_waiting(tx: Transaction, partner_ids: Sequence[UUID], due_at: datetime) -> int:
    return tx.run(sql["wake_waiting"], partner_ids=list(partner_ids), due_at=due_at)


def list_due(tx: Transaction, kind: SettlementType, limit: int) -> list[DueSettlement]:
    """Returns due settlements, one of each partner: the worker of that one holds the partner's lock."""
    return tx.all(DueSettlement, sql["list_due"], now=tx.now(), settlement_type=kind, limit=limit)


def is_first_due(tx: Transaction, due: DueSettlement, kind: SettlementType) -> bool:
    """Returns whether the settlement is the one that its locked partner must do next."""
    values = {"partner_id": due.partner_id, "settlement_type": kind}
    return tx.scalars(UUID, sql["first_due"], **values, now=tx.now()) == [due.id]


def lock_due(tx: Transaction, partner_id: UUID, limit: int) -> list[Settlement]:
    """Locks the due settlements of a locked partner, and returns them in the order of their turns."""
    return tx.all(Settlement, sql["lock_due"], partner_id=partner_id, now=tx.now(), limit=limit)


def next_due_at(tx: Transaction, kind: SettlementType) -> datetime | None:
    return tx.scalars(datetime, sql["next_due_at"], settlement_type=kind)[0]


def count_due(tx: Transaction, kind: SettlementType) -> int:
    return tx.scalars(int, sql["count_due"], now=tx.now(), settlement_type=kind)[0]


def list_work(tx: Transaction, wanted: WorkFilter) -> Listing[Settlement]:
    """Returns the settlements that wait for the worker, earliest due first."""
    filters = {
        "partner_ids": _array(wanted.partner_ids),
        "states": _array(wanted.states),
        "due_on_or_after": wanted.due_on_or_after,
        "due_before": wanted.due_before,
    }
    return keyset_page(tx, Settlement, sql["list_work"], filters, _EARLIEST_DUE_FIRST, wanted.part)


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
    return keyset_page(tx, Settlement, statement, filters, NEWEST_FIRST, wanted.part)


def _array(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)
