"""Reads and writes of parties and transfers.

A whole settlement goes through one statement each, never row by row. Its amounts travel as arrays. What moves is a
query, which a statement of the ledger works on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, LiteralString
from uuid import UUID

from clearwindow.core.ids import time_ordered_prefix
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries, Relation
from clearwindow.settlements.transfers.models import (
    AmountArrays,
    Direction,
    DisputeTarget,
    FinalAmount,
    LossBeyondLimit,
    Objections,
    Party,
    Quantity,
    Run,
    Transfer,
    TransferFilter,
    TransferSearch,
    UnfitAmount,
)

sql: Final = Queries("clearwindow.settlements.transfers")
_BY_CONNECTION: Final = Order({"connection_id": UUID, "id": UUID}, descending=False)


@dataclass(frozen=True, slots=True)
class _Sum:
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _SumOf:
    settlement_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _SumOn:
    connection_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _Size:
    id: UUID
    transfers: int


@dataclass(frozen=True, slots=True)
class _FinalAmountOf:
    settlement_id: UUID
    counterparty_connection_id: UUID | None
    connection_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _WrittenSum:
    currency: str
    quantity: Decimal


def unfit_amounts(
    tx: Transaction, amounts: AmountArrays, decimals: Sequence[int], *, digits_only: bool
) -> Later[list[UnfitAmount]]:
    """Returns amounts that cannot be transfers, some of many. ``digits_only``: they are in base units."""
    values = {"decimals": list(decimals), "digits_only": digits_only}
    return tx.ask.all(UnfitAmount, sql["unfit_amounts"], **amounts.values(), **values)


def unbalanced_currencies(
    tx: Transaction, amounts: AmountArrays, currencies: Sequence[str]
) -> Later[dict[str, Decimal]]:
    """Returns the currencies whose amounts do not sum to zero, with their sums in the partner's unit."""
    rows = tx.ask.all(_WrittenSum, sql["unbalanced_currencies"], **amounts.values(), currencies=list(currencies))
    return rows.then(lambda found: {row.currency: row.quantity for row in found})


def insert_staged(
    tx: Transaction,
    amounts: AmountArrays,
    *,
    settlement_id: UUID,
    partner_id: UUID,
    dispute_deadline_at: datetime,
    currencies: Sequence[str],
    decimals: Sequence[int],
) -> None:
    """Creates a party for each connection and a transfer for each amount."""
    head = {"settlement_id": settlement_id, "partner_id": partner_id}
    tx.tell(
        sql["insert_parties_of_amounts"],
        **head,
        connection_ids=list(amounts.connection_ids),
        dispute_deadline_at=dispute_deadline_at,
    )
    now = tx.now()
    tx.tell(
        sql["insert_transfers_of_amounts"],
        **head,
        **amounts.values(),
        **units(currencies, decimals),
        id_prefix=time_ordered_prefix(now),
        now=now,
    )


def has_staged_amounts(
    tx: Transaction,
    amounts: AmountArrays,
    settlement_id: UUID,
    currencies: Sequence[str],
    decimals: Sequence[int],
) -> bool:
    """Returns whether the amounts, scaled so, are those that the settlement was made with."""
    values = amounts.values() | units(currencies, decimals)
    return tx.scalars(bool, sql["has_staged_amounts"], settlement_id=settlement_id, **values)[0]


def units(currencies: Sequence[str], decimals: Sequence[int]) -> dict[str, object]:
    """Returns what amounts are scaled by, as a statement takes it."""
    return {"currencies": list(currencies), "base_units": [Decimal(10**number) for number in decimals]}


def insert_parties_of_closures(
    tx: Transaction,
    *,
    settlement_id: UUID,
    partner_id: UUID,
    dispute_deadline_at: datetime,
    connection_ids: Sequence[UUID],
    closure_ids: Sequence[UUID],
) -> None:
    """Adds as parties the connections whose disputes were closed, and both sides of the closures' transfers."""
    head = {"settlement_id": settlement_id, "partner_id": partner_id, "dispute_deadline_at": dispute_deadline_at}
    sides = {"connection_ids": list(connection_ids), "closure_ids": list(closure_ids)}
    tx.run(sql["insert_parties_of_closures"], **head, **sides)


def insert_closure_transfers(
    tx: Transaction,
    *,
    partner_id: UUID,
    closure_id: UUID,
    connection_id: UUID,
    account_id: UUID,
    quantities: Sequence[Quantity],
) -> None:
    tx.run(
        sql["insert_closure_transfers"],
        partner_id=partner_id,
        closure_id=closure_id,
        connection_id=connection_id,
        account_id=account_id,
        counterparty_connection_ids=[given.counterparty_connection_id for given in quantities],
        counterparty_account_ids=[given.counterparty_account_id for given in quantities],
        currencies=[given.currency for given in quantities],
        quantities=[given.quantity for given in quantities],
        now=tx.now(),
    )


def assign_closure_transfers(tx: Transaction, settlement_id: UUID, closure_ids: Sequence[UUID]) -> int:
    values = {"settlement_id": settlement_id, "closure_ids": list(closure_ids)}
    return tx.run(sql["assign_closure_transfers"], **values, now=tx.now())


def lock_party(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> Party | None:
    return tx.first(Party, sql["lock_party"], settlement_id=settlement_id, connection_id=connection_id)


def is_rejected(tx: Transaction, settlement_id: UUID) -> bool:
    """Returns whether the settlement is rejected or withdrawn, so that none of its own transfers runs.

    It stays as it is while one of its parties is locked.
    """
    return tx.scalars(bool, sql["is_rejected"], settlement_id=settlement_id)[0]


def count_running_closures(tx: Transaction, settlement_id: UUID) -> int:
    """Returns how many transfers of closures that were not cancelled the settlement has."""
    cancelled = cancelled_closures(tx, settlement_id)
    return tx.scalars(int, sql["count_running_closures"], settlement_id=settlement_id, cancelled=cancelled)[0]


def own_amounts(tx: Transaction, settlement_id: UUID, currencies: Sequence[str]) -> dict[str, int]:
    """Returns how much of each of these currencies the settlement's own transfers move in all."""
    rows = tx.all(_Sum, sql["own_amounts"], settlement_id=settlement_id, currencies=list(currencies))
    return {row.currency: row.quantity for row in rows}


def own_sums(tx: Transaction, settlement_id: UUID, connection_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Returns what the settlement's own transfers move on each of these connections: + the connection gains."""
    values = {"settlement_id": settlement_id, "connection_ids": list(connection_ids)}
    found: dict[UUID, dict[str, int]] = {}
    for row in tx.all(_SumOn, sql["own_sums"], **values):
        found.setdefault(row.connection_id, {})[row.currency] = row.quantity
    return found


def cancelled_closures(tx: Transaction, settlement_id: UUID) -> list[UUID]:
    """Returns the closures that the settlement has taken and that were cancelled since."""
    return tx.scalars(UUID, sql["cancelled_closures"], settlement_id=settlement_id)


def lock_parties(tx: Transaction, settlement_id: UUID) -> None:
    tx.run(sql["lock_parties"], settlement_id=settlement_id)


def lock_parties_of(tx: Transaction, settlement_ids: Sequence[UUID]) -> None:
    tx.tell(sql["lock_parties_of"], settlement_ids=list(settlement_ids))


def sizes(tx: Transaction, settlement_ids: Sequence[UUID], most: int) -> Later[dict[UUID, int]]:
    """Returns how many transfers each settlement has, or ``most`` if it has more."""
    found = tx.ask.all(_Size, sql["sizes"], settlement_ids=list(settlement_ids), most=most)
    return found.then(lambda rows: {row.id: row.transfers for row in rows})


def nets_of(tx: Transaction, settlement_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Returns what connections gain together by each of these settlements, which nobody disputes."""
    found: dict[UUID, dict[str, int]] = {}
    for row in tx.all(_SumOf, sql["nets_of"], settlement_ids=list(settlement_ids)):
        found.setdefault(row.settlement_id, {})[row.currency] = row.quantity
    return found


def runs(settlement_ids: Sequence[UUID]) -> Relation:
    """Returns the query for what each of these settlements moves, which nobody disputes."""
    return Relation(sql["runs"], {"settlement_ids": list(settlement_ids)})


def final_amounts_of(tx: Transaction, settlement_ids: Sequence[UUID]) -> dict[UUID, list[FinalAmount]]:
    """Returns the amounts of each of these settlements, which nobody disputes and which have no closures."""
    found: dict[UUID, list[FinalAmount]] = {each: [] for each in settlement_ids}
    for row in tx.all(_FinalAmountOf, sql["final_amounts_of"], settlement_ids=list(settlement_ids)):
        final = FinalAmount(row.counterparty_connection_id, row.connection_id, row.currency, row.quantity)
        found[row.settlement_id].append(final)
    return found


def mark_disputed(tx: Transaction, settlement_id: UUID, connection_ids: Sequence[UUID]) -> int:
    return tx.run(sql["mark_disputed"], settlement_id=settlement_id, connection_ids=list(connection_ids))


def party_connections(tx: Transaction, settlement_id: UUID, among: Sequence[UUID] | None = None) -> list[UUID]:
    if among is None:
        return tx.scalars(UUID, sql["parties"], settlement_id=settlement_id)
    return tx.scalars(UUID, sql["parties_among"], settlement_id=settlement_id, connection_ids=list(among))


def new_quantities(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> list[Quantity]:
    """Returns what the connection gains or loses to each counterparty by the settlement's own transfers."""
    values = {"settlement_id": settlement_id, "connection_id": connection_id}
    return tx.all(Quantity, sql["new_quantities"], **values)


def liabilities(settlement_id: UUID) -> Relation:
    """Returns the query for the most that the settlement can take from each balance."""
    return Relation(sql["liabilities"], {"settlement_id": settlement_id})


def losses_beyond_limits(
    tx: Transaction, settlement_id: UUID, partner_id: UUID, day_from: datetime, day_until: datetime
) -> Later[list[LossBeyondLimit]]:
    """Returns later where a stored settlement of this day takes more than clients allow. The partner is locked."""
    values = {"settlement_id": settlement_id, "day_from": day_from, "day_until": day_until}
    return ask_beyond_limits(tx, partner_id, sql["losses_beyond_limits"], values)


def ask_beyond_limits(
    tx: Transaction, partner_id: UUID, statement: LiteralString, values: Mapping[str, object]
) -> Later[list[LossBeyondLimit]]:
    """Returns later what the statement finds, if a client of the partner has a limit."""

    def read(limited: list[bool]) -> list[LossBeyondLimit]:
        # Most partners have no client with a limit. Then 100 000 transfers are not read again.
        if not limited[0]:
            return []
        return tx.all(LossBeyondLimit, statement, **values, partner_id=partner_id, now=tx.now())

    return tx.ask.scalars(bool, sql["has_loss_limits"], partner_id=partner_id).then(read)


def remaining_liabilities(tx: Transaction, settlement_id: UUID, *, without_new: bool) -> Relation:
    """Returns the same query for what still runs. ``without_new``: only the transfers of closures do."""
    values = {"cancelled": cancelled_closures(tx, settlement_id), "without_new": without_new}
    return Relation(sql["remaining_liabilities"], {"settlement_id": settlement_id, **values})


def losses(settlement_id: UUID) -> Relation:
    """Returns the same query for a settlement that takes all losses before it pays any gain."""
    return Relation(sql["losses"], {"settlement_id": settlement_id})


def dispute_targets(tx: Transaction, settlement_id: UUID, objections: Objections) -> Relation | None:
    """Returns the query for what the transfers of each standing dispute would take. None: no dispute stands."""
    connection_ids = list(objections.standing.values())
    if not connection_ids:
        return None
    # A settlement may have 100 000 balances: only these are read.
    among = [*connection_ids, *_counterparties(tx, settlement_id, connection_ids)]
    return _dispute_targets(settlement_id, objections, among)


def dispute_targets_around(
    tx: Transaction, settlement_id: UUID, connection_id: UUID, objections: Objections
) -> list[DisputeTarget]:
    """Returns these targets on the balances of a connection and of its counterparties."""
    among = [connection_id, *_counterparties(tx, settlement_id, [connection_id])]
    targets = _dispute_targets(settlement_id, objections, among)
    return tx.all(DisputeTarget, targets.query, **targets.values)


def dispute_targets_on(
    tx: Transaction, settlement_id: UUID, objections: Objections, connection_ids: Sequence[UUID]
) -> list[DisputeTarget]:
    """Returns these targets on the balances of these connections, earliest dispute first."""
    if not objections.standing:
        return []
    targets = _dispute_targets(settlement_id, objections, connection_ids)
    return tx.all(DisputeTarget, targets.query, **targets.values)


def _counterparties(tx: Transaction, settlement_id: UUID, connection_ids: Sequence[UUID]) -> list[UUID]:
    return tx.scalars(UUID, sql["counterparties"], settlement_id=settlement_id, connection_ids=list(connection_ids))


def _dispute_targets(settlement_id: UUID, objections: Objections, among: Sequence[UUID]) -> Relation:
    values = {
        "dispute_ids": list(objections.standing),
        "connection_ids": list(objections.standing.values()),
        "upheld": list(objections.upheld),
        "among": list(among),
    }
    return Relation(sql["dispute_targets"], {"settlement_id": settlement_id, **values})


def run(tx: Transaction, settlement_id: UUID, *, without_new: bool = False) -> Run:
    """Returns what moves when the settlement executes now. ``without_new``: only the transfers of closures do."""
    values = {"cancelled": cancelled_closures(tx, settlement_id), "without_new": without_new}
    given = {"settlement_id": settlement_id, **values}
    rows = tx.all(_Sum, sql["net_of_settlement"], **given)
    return Run(Relation(sql["run"], given), {row.currency: row.quantity for row in rows if row.quantity})


def final_amounts(tx: Transaction, settlement_id: UUID) -> list[FinalAmount]:
    """Returns the settlement's own amounts, without those of disputed parties and without closures' transfers."""
    return tx.all(FinalAmount, sql["final_amounts"], settlement_id=settlement_id)


def list_transfers(tx: Transaction, settlement_id: UUID, wanted: TransferFilter) -> tuple[list[Transfer], int]:
    """Returns one page of a settlement's transfers, and how many there are in all."""
    filters = _filters(settlement_id, wanted)
    page = tx.all(Transfer, sql["list_transfers"], **filters, limit=wanted.limit, offset=wanted.offset)
    return page, tx.scalars(int, sql["count_transfers"], **filters)[0]


def list_whole(tx: Transaction, settlement_id: UUID, wanted: TransferFilter, part: Slice) -> Listing[Transfer]:
    """Returns one part of a settlement's transfers, sorted by connection."""
    return keyset_page(
        tx, Transfer, sql["list_whole_settlement"], _filters(settlement_id, wanted), _BY_CONNECTION, part
    )


def _filters(settlement_id: UUID, wanted: TransferFilter) -> dict[str, object]:
    return {
        "settlement_id": settlement_id,
        "own_connection_ids": _array(wanted.own_connection_ids),
        "connection_ids": _array(wanted.connection_ids),
        "counterparty_connection_ids": _array(wanted.counterparty_connection_ids),
        "from_partner": wanted.from_partner,
        "account_ids": _array(wanted.account_ids),
        "counterparty_account_ids": _array(wanted.counterparty_account_ids),
        "currencies": _array(wanted.currencies),
    }


def search(tx: Transaction, wanted: TransferSearch) -> Listing[Transfer]:
    """Returns a page of a client's transfers in all settlements, sorted by when the settlement last changed."""
    filters = {
        "own_connection_ids": list(wanted.own_connection_ids),
        "partner_ids": _array(wanted.partner_ids),
        "settlement_ids": _array(wanted.settlement_ids),
        "settlement_states": _array(wanted.settlement_states),
        "initiated_by": _array(wanted.initiated_by),
        "settlement_updated_on_or_after": wanted.settlement_updated_on_or_after,
        "settlement_updated_before": wanted.settlement_updated_before,
        "currencies": _array(wanted.currencies),
        "statuses": _array(wanted.statuses),
    }
    order = Order({"updated_at": datetime, "settlement_id": UUID, "id": UUID}, descending=not wanted.ascending)
    return keyset_page(tx, Transfer, sql["search_transfers"], filters, order, wanted.part)


def closure_transfers(tx: Transaction, closure_ids: Sequence[UUID]) -> list[Transfer]:
    return tx.all(Transfer, sql["list_closure_transfers"], closure_ids=list(closure_ids))


def directions(tx: Transaction, settlement_ids: Sequence[UUID], connection_ids: Sequence[UUID]) -> list[Direction]:
    values = {"settlement_ids": list(settlement_ids), "connection_ids": list(connection_ids)}
    return tx.all(Direction, sql["directions"], **values)


def _array(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)
