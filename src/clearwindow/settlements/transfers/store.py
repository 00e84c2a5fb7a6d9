"""Reads and writes of parties and transfers.

A whole settlement goes through temporary tables and one statement each, never row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.core.ids import time_ordered_prefix
from clearwindow.postgres.paging import Listing, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.settlements.transfers.models import (
    Direction,
    DisputeTarget,
    FinalAmount,
    LossBeyondLimit,
    Objections,
    Party,
    Quantity,
    Transfer,
    TransferFilter,
    TransferSearch,
    UnfitAmount,
)

sql: Final = Queries("clearwindow.settlements.transfers")

_ANALYZE_FROM_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Sum:
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _WrittenSum:
    currency: str
    quantity: Decimal


def stage_amounts(tx: Transaction, lines: Iterable[str], count: int, *, between_connections: bool = False) -> None:
    """Copies amounts into a temporary table.

    A line has connection, account, number of the currency and amount, separated by tabs. Between two connections,
    the source's connection and account come before the destination's.
    """
    tx.run(sql["create_staged_amount"])
    with tx.copy_in(sql["copy_staged_pair_amount" if between_connections else "copy_staged_amount"]) as copy:
        copy.write("".join(lines))
    if count >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_staged_amount"])


def unfit_amounts(tx: Transaction, decimals: Sequence[int], *, digits_only: bool) -> list[UnfitAmount]:
    """Returns the staged amounts that cannot be transfers. ``digits_only``: they are in base units."""
    return tx.all(UnfitAmount, sql["unfit_amounts"], decimals=list(decimals), digits_only=digits_only)


def unbalanced_currencies(tx: Transaction, currencies: Sequence[str]) -> dict[str, Decimal]:
    """Returns the currencies whose staged amounts do not sum to zero, with their sums in the partner's unit."""
    rows = tx.all(_WrittenSum, sql["unbalanced_currencies"], currencies=list(currencies))
    return {row.currency: row.quantity for row in rows}


def insert_staged(
    tx: Transaction,
    *,
    settlement_id: UUID,
    partner_id: UUID,
    dispute_deadline_at: datetime,
    currencies: Sequence[str],
    decimals: Sequence[int],
) -> None:
    """Creates a party for each connection and a transfer for each staged amount."""
    head = {"settlement_id": settlement_id, "partner_id": partner_id}
    tx.run(sql["insert_parties_of_amounts"], **head, dispute_deadline_at=dispute_deadline_at)
    units = {"currencies": list(currencies), "decimals": list(decimals)}
    now = tx.now()
    tx.run(sql["insert_transfers_of_amounts"], **head, **units, id_prefix=time_ordered_prefix(now), now=now)


def has_staged_amounts(
    tx: Transaction, settlement_id: UUID, currencies: Sequence[str], decimals: Sequence[int]
) -> bool:
    """Returns whether the staged amounts, scaled so, are those that the settlement was made with."""
    units = {"currencies": list(currencies), "decimals": list(decimals)}
    return tx.scalars(bool, sql["has_staged_amounts"], settlement_id=settlement_id, **units)[0]


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
    """Returns whether the settlement is rejected. It stays as it is while one of its parties is locked."""
    return tx.scalars(bool, sql["is_rejected"], settlement_id=settlement_id)[0]


def count_running_closures(tx: Transaction, settlement_id: UUID) -> int:
    """Returns how many transfers of closures that were not cancelled the settlement has."""
    cancelled = _cancelled(tx, settlement_id)
    return tx.scalars(int, sql["count_running_closures"], settlement_id=settlement_id, cancelled=cancelled)[0]


def own_amounts(tx: Transaction, settlement_id: UUID, currencies: Sequence[str]) -> dict[str, int]:
    """Returns how much of each of these currencies the settlement's own transfers move in all."""
    rows = tx.all(_Sum, sql["own_amounts"], settlement_id=settlement_id, currencies=list(currencies))
    return {row.currency: row.quantity for row in rows}


def _cancelled(tx: Transaction, settlement_id: UUID) -> list[UUID]:
    return tx.scalars(UUID, sql["cancelled_closures"], settlement_id=settlement_id)


def lock_parties(tx: Transaction, settlement_id: UUID) -> None:
    tx.run(sql["lock_parties"], settlement_id=settlement_id)


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


def compute_liabilities(tx: Transaction, settlement_id: UUID) -> None:
    """Creates the temporary table ``liability``: the most that the settlement can take from each balance."""
    made = tx.run(sql["create_liability"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def losses_beyond_limits(
    tx: Transaction, settlement_id: UUID, partner_id: UUID, day_from: datetime, day_until: datetime
) -> list[LossBeyondLimit]:
    """Returns where a stored settlement of this day takes more than clients allow. The partner is locked."""
    # Most partners have no client with a limit. Then 100 000 transfers are not read again.
    if not tx.scalars(bool, sql["has_loss_limits"], partner_id=partner_id)[0]:
        return []
    values = {"settlement_id": settlement_id, "partner_id": partner_id, "now": tx.now()}
    statement = sql["losses_beyond_limits"]
    return tx.all(LossBeyondLimit, statement, **values, day_from=day_from, day_until=day_until)


def compute_remaining_liabilities(tx: Transaction, settlement_id: UUID, *, without_new: bool) -> None:
    """Creates the same table for what still runs. ``without_new``: only the transfers of closures do."""
    cancelled = _cancelled(tx, settlement_id)
    values = {"settlement_id": settlement_id, "cancelled": cancelled, "without_new": without_new}
    if tx.run(sql["create_remaining_liability"], **values) >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def compute_losses(tx: Transaction, settlement_id: UUID) -> None:
    """Creates the same table for a settlement that takes all losses before it pays any gain."""
    made = tx.run(sql["create_losses"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def compute_dispute_targets(tx: Transaction, settlement_id: UUID, objections: Objections) -> None:
    """Creates the temporary table ``dispute_target``: what the transfers of each standing dispute would take."""
    connection_ids = list(objections.standing.values())
    # A settlement may have 100 000 balances: only these are read.
    among = [*connection_ids, *_counterparties(tx, settlement_id, connection_ids)] if connection_ids else []
    _create_dispute_targets(tx, settlement_id, objections, among)


def dispute_targets_around(
    tx: Transaction, settlement_id: UUID, connection_id: UUID, objections: Objections
) -> list[DisputeTarget]:
    """Returns these targets on the balances of a connection and of its counterparties."""
    among = [connection_id, *_counterparties(tx, settlement_id, [connection_id])]
    _create_dispute_targets(tx, settlement_id, objections, among)
    return tx.all(DisputeTarget, sql["list_dispute_targets"])


def _counterparties(tx: Transaction, settlement_id: UUID, connection_ids: Sequence[UUID]) -> list[UUID]:
    return tx.scalars(UUID, sql["counterparties"], settlement_id=settlement_id, connection_ids=list(connection_ids))


def _create_dispute_targets(
    tx: Transaction, settlement_id: UUID, objections: Objections, among: Sequence[UUID]
) -> None:
    tx.run(sql["drop_dispute_target"])
    made = tx.run(
        sql["create_dispute_target"],
        settlement_id=settlement_id,
        dispute_ids=list(objections.standing),
        connection_ids=list(objections.standing.values()),
        upheld=list(objections.upheld),
        among=list(among),
    )
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_dispute_target"])


def net_of_final(tx: Transaction, settlement_id: UUID) -> dict[str, int]:
    """Returns what the connections together would gain per currency if the settlement executed now."""
    cancelled = _cancelled(tx, settlement_id)
    rows = tx.all(_Sum, sql["net_of_settlement"], settlement_id=settlement_id, cancelled=cancelled)
    return {row.currency: row.quantity for row in rows}


def final_amounts(tx: Transaction, settlement_id: UUID) -> list[FinalAmount]:
    """Returns the settlement's own amounts, without those of disputed parties and without closures' transfers."""
    return tx.all(FinalAmount, sql["final_amounts"], settlement_id=settlement_id)


def compute_run(
    tx: Transaction, settlement_id: UUID, objections: Objections, *, without_new: bool = False
) -> dict[str, int]:
    """Returns what the connections together gain per currency when the settlement executes.

    With ``without_new``, only the transfers of closures run.

    Creates the temporary tables ``run`` (what each balance gains or loses) and ``dispute_target`` (which holds of
    disputes the gains fill first).
    """
    compute_dispute_targets(tx, settlement_id, objections)
    cancelled = _cancelled(tx, settlement_id)
    values = {"settlement_id": settlement_id, "cancelled": cancelled, "without_new": without_new}
    made = tx.run(sql["create_run"], **values)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_run"])
    return {row.currency: row.quantity for row in tx.all(_Sum, sql["net_of_run"])}


def list_transfers(tx: Transaction, settlement_id: UUID, wanted: TransferFilter) -> tuple[list[Transfer], int]:
    """Returns one page of a settlement's transfers, and how many there are in all."""
    filters = {
        "settlement_id": settlement_id,
        "own_connection_ids": _array(wanted.own_connection_ids),
        "connection_ids": _array(wanted.connection_ids),
        "counterparty_connection_ids": _array(wanted.counterparty_connection_ids),
        "from_partner": wanted.from_partner,
        "account_ids": _array(wanted.account_ids),
        "counterparty_account_ids": _array(wanted.counterparty_account_ids),
        "currencies": _array(wanted.currencies),
    }
    page = tx.all(Transfer, sql["list_transfers"], **filters, limit=wanted.limit, offset=wanted.offset)
    return page, tx.scalars(int, sql["count_transfers"], **filters)[0]


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
        "ascending": wanted.ascending,
    }
    statement = sql["search_transfers"]
    return list_page(tx, Transfer, statement, filters, limit=wanted.limit, offset=wanted.offset)


def closure_transfers(tx: Transaction, closure_ids: Sequence[UUID]) -> list[Transfer]:
    return tx.all(Transfer, sql["list_closure_transfers"], closure_ids=list(closure_ids))


def directions(tx: Transaction, settlement_ids: Sequence[UUID], connection_ids: Sequence[UUID]) -> list[Direction]:
    values = {"settlement_ids": list(settlement_ids), "connection_ids": list(connection_ids)}
    return tx.all(Direction, sql["directions"], **values)


def _array(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)
