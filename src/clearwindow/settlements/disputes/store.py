"""Reads and writes of disputes and closures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.settlements.disputes.models import (
    AssignedClosure,
    ClosedBy,
    Closure,
    ClosureFilter,
    ClosureStatus,
    Dispute,
    DisputeFilter,
    RaisedWith,
)
from clearwindow.settlements.transfers.models import Objections

sql: Final = Queries("clearwindow.settlements.disputes")


@dataclass(frozen=True, slots=True)
class _Objection:
    """A dispute that was not retracted. ``closed_by``: who made its closure, if that is approved."""

    dispute_id: UUID
    connection_id: UUID
    closed_by: ClosedBy | None


def insert_dispute(tx: Transaction, dispute: Dispute, raised_with: RaisedWith) -> None:
    tx.run(
        sql["insert_dispute"],
        id=dispute.id,
        partner_id=dispute.partner_id,
        settlement_id=dispute.settlement_id,
        connection_id=dispute.connection_id,
        user_id=dispute.user_id,
        reason=dispute.reason,
        expected_transfers=Jsonb(dispute.expected_transfers),
        raised_with=Jsonb(asdict(raised_with)),
        now=dispute.created_at,
        client_hands=list(dispute.client_hands),
    )


def client_hands_in(tx: Transaction, settlement_id: UUID | None) -> list[UUID]:
    """Returns the operators with whose tokens clients acted on the disputes that a settlement has to do with."""
    return tx.scalars(UUID, sql["client_hands_in"], settlement_id=settlement_id)


def client_hands_of_closure(tx: Transaction, closure_id: UUID | None) -> list[UUID]:
    """Returns the operators with whose tokens the client acted on the closure's dispute."""
    return tx.scalars(UUID, sql["client_hands_of_closure"], id=closure_id)


def find_raised_with(tx: Transaction, dispute_id: UUID) -> RaisedWith | None:
    """Returns what the dispute was raised with, None if an older version recorded it."""
    (raised_with,) = tx.scalars(object, sql["find_raised_with"], id=dispute_id)
    return RaisedWith(**raised_with) if isinstance(raised_with, dict) else None


def find_dispute(tx: Transaction, dispute_id: UUID) -> Dispute | None:
    return tx.first(Dispute, sql["find_dispute"], id=dispute_id)


def existing_dispute(tx: Transaction, dispute_id: UUID) -> Dispute:
    return tx.one(Dispute, sql["find_dispute"], id=dispute_id)


def lock_dispute(tx: Transaction, dispute_id: UUID) -> Dispute:
    return tx.one(Dispute, sql["lock_dispute"], id=dispute_id)


def find_dispute_of_party(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> Dispute | None:
    values = {"settlement_id": settlement_id, "connection_id": connection_id}
    return tx.first(Dispute, sql["find_dispute_of_party"], **values)


def retract(tx: Transaction, dispute_id: UUID, user_id: str, reason: str | None) -> None:
    tx.run(sql["retract_dispute"], id=dispute_id, user_id=user_id, reason=reason, now=tx.now())


def restore(tx: Transaction, dispute_id: UUID, reason: str | None, expected: Mapping[str, str] | None) -> None:
    """Reverses a retraction, or changes what the client expects."""
    transfers = None if expected is None else Jsonb(dict(expected))
    values = {"id": dispute_id, "reason": reason, "expected_transfers": transfers}
    tx.run(sql["restore_dispute"], **values, now=tx.now())


def add_client_hand(tx: Transaction, dispute_id: UUID, operator_id: UUID | None) -> None:
    """Notes who made the token with which the client acts on the dispute."""
    if operator_id is not None:
        tx.run(sql["add_client_hand"], id=dispute_id, operator_id=operator_id)


def touch(tx: Transaction, dispute_id: UUID) -> None:
    tx.run(sql["touch_dispute"], id=dispute_id, now=tx.now())


def insert_closure(tx: Transaction, closure: Closure) -> None:
    tx.run(
        sql["insert_closure"],
        id=closure.id,
        partner_id=closure.partner_id,
        dispute_id=closure.dispute_id,
        closed_by=closure.closed_by,
        user_id=closure.user_id,
        notes=closure.notes,
        adjusted_transfers=Jsonb(closure.adjusted_transfers),
        request_sha256=closure.request_sha256,
        now=closure.created_at,
        token_made_by=closure.token_made_by,
        claimed_transfers=None if closure.claimed_transfers is None else Jsonb(closure.claimed_transfers),
    )


def find_closure(tx: Transaction, closure_id: UUID) -> Closure | None:
    return tx.first(Closure, sql["find_closure"], id=closure_id)


def find_closure_of_request(tx: Transaction, dispute_id: UUID, request_sha256: bytes) -> Closure | None:
    values = {"dispute_id": dispute_id, "request_sha256": request_sha256}
    return tx.first(Closure, sql["find_closure_of_request"], **values)


def standing_closures(tx: Transaction, dispute_ids: Sequence[UUID]) -> dict[UUID, Closure]:
    """Returns the closure of each dispute, unless it was rejected."""
    rows = tx.all(Closure, sql["standing_closures"], dispute_ids=list(dispute_ids))
    return {closure.dispute_id: closure for closure in rows}


def review_closure(
    tx: Transaction, closure_id: UUID, status: ClosureStatus, reviewed_by: str, review_notes: str | None
) -> None:
    values = {"id": closure_id, "status": status, "reviewed_by": reviewed_by, "review_notes": review_notes}
    if tx.run(sql["review_closure"], **values, now=tx.now()) != 1:
        raise AssertionError("a locked closure under review changed")


def cancel_closure(tx: Transaction, closure_id: UUID) -> None:
    if tx.run(sql["cancel_closure"], id=closure_id, now=tx.now()) != 1:
        raise AssertionError("a locked closure that stood changed")


def settles_disputes(tx: Transaction, settlement_id: UUID) -> bool:
    """Returns whether the settlement has taken closures."""
    return tx.scalars(bool, sql["settles_disputes"], settlement_id=settlement_id)[0]


def lock_approved_closures(tx: Transaction, partner_id: UUID) -> Later[list[AssignedClosure]]:
    """Returns all approved, unassigned closures of the partner. The caller has its lock."""
    return tx.ask.all(AssignedClosure, sql["lock_approved_closures"], partner_id=partner_id)


def ask_approved_closures(tx: Transaction, partner_id: UUID) -> Later[list[AssignedClosure]]:
    """Returns the same without a lock, for those who only read."""
    return tx.ask.all(AssignedClosure, sql["approved_closures"], partner_id=partner_id)


def assign_closures(tx: Transaction, settlement_id: UUID, taken: Sequence[AssignedClosure]) -> None:
    """Assigns locked closures to a settlement that is stored. Protocol §5.3."""
    values = {"settlement_id": settlement_id, "dispute_ids": [closure.dispute_id for closure in taken]}
    if tx.run(sql["set_settled_in"], **values, now=tx.now()) != len(taken):
        raise AssertionError("a locked dispute was settled elsewhere")


def objections(tx: Transaction, settlement_id: UUID, *, as_standing: UUID | None = None) -> Objections:
    """Returns the disputes of a settlement that count. None has a closure before the dispute window has ended.

    The closure of the dispute ``as_standing`` is taken as not approved.
    """
    standing, upheld = {}, set()
    for objection in tx.all(_Objection, sql["objections"], settlement_id=settlement_id):
        if objection.closed_by is None or objection.dispute_id == as_standing:
            standing[objection.dispute_id] = objection.connection_id
        elif objection.closed_by is ClosedBy.OPERATOR:
            upheld.add(objection.connection_id)
    return Objections(standing, frozenset(upheld))


def involved_in_disputes(tx: Transaction, settlement_ids: Sequence[UUID]) -> Later[set[UUID]]:
    """Returns which of the settlements are disputed, or have taken closures of disputes."""
    found = tx.ask.scalars(UUID, sql["involved_in_disputes"], settlement_ids=list(settlement_ids))
    return found.then(set)


def is_disputed(tx: Transaction, settlement_id: UUID) -> bool:
    """Returns whether the settlement has a dispute that was not retracted, closed or not."""
    return bool(disputed_among(tx, [settlement_id]))


def disputed_among(
    tx: Transaction, settlement_ids: Sequence[UUID], connection_ids: Sequence[UUID] | None = None
) -> set[UUID]:
    """Returns which of the settlements are disputed. For a client, only disputes on its connections count."""
    own = None if connection_ids is None else list(connection_ids)
    values = {"settlement_ids": list(settlement_ids), "connection_ids": own}
    return set(tx.scalars(UUID, sql["disputed_among"], **values))


def list_disputes(tx: Transaction, wanted: DisputeFilter) -> Listing[Dispute]:
    filters = {
        "partner_ids": _array(wanted.partner_ids),
        "own_connection_ids": _array(wanted.own_connection_ids),
        "connection_ids": _array(wanted.connection_ids),
        "dispute_ids": _array(wanted.dispute_ids),
        "settlement_ids": _array(wanted.settlement_ids),
        "settled_in_settlement_ids": _array(wanted.settled_in_settlement_ids),
        "closure_ids": _array(wanted.closure_ids),
        "client_ids": _array(wanted.client_ids),
        "settlement_external_ids": _array(wanted.settlement_external_ids),
        "settled_in_settlement_external_ids": _array(wanted.settled_in_settlement_external_ids),
        "closed": wanted.closed,
        "show_retracted": wanted.show_retracted,
        "retracted": wanted.retracted,
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    return keyset_page(tx, Dispute, sql["list_disputes"], filters, NEWEST_FIRST, wanted.part)


def list_closures(tx: Transaction, wanted: ClosureFilter) -> Listing[Closure]:
    filters = {
        "statuses": _array(wanted.statuses),
        "dispute_ids": _array(wanted.dispute_ids),
        "partner_ids": _array(wanted.partner_ids),
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    return keyset_page(tx, Closure, sql["list_closures"], filters, NEWEST_FIRST, wanted.part)


def _array(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)
