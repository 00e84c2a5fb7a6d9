"""What settlements and disputes may do with parties and transfers.

Whole settlements go through temporary tables and one statement each, never row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.ids import time_ordered_prefix
from clearwindow.transfers.values import (
    DisputeTarget,
    FinalAmount,
    Objections,
    Party,
    Quantity,
    Transfer,
    TransferFilter,
    TransferSearch,
    UnfitAmount,
)

sql: Final = Queries("clearwindow.transfers")

_ANALYZE_FROM_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class _CurrencyQuantity:
    currency: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Direction:
    settlement_id: UUID
    receives: bool
    sends: bool


def stage_amounts(tx: Transaction, lines: Iterable[str], count: int, *, between_connections: bool = False) -> None:
    """Copies amounts in as lines of connection, account, number of the currency and amount, tab-separated.

    Between two connections, the source's connection and account stand before the destination's.
    """
    tx.run(sql["create_staged_amount"])
    with tx.copy_in(sql["copy_staged_pair_amount" if between_connections else "copy_staged_amount"]) as copy:
        copy.write("".join(lines))
    if count >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_staged_amount"])


def unfit_amounts(tx: Transaction, decimals: Sequence[int]) -> list[UnfitAmount]:
    return tx.all(UnfitAmount, sql["unfit_amounts"], decimals=list(decimals))


def unbalanced_currencies(tx: Transaction, currencies: Sequence[str]) -> dict[str, Decimal]:
    """The currencies in which the staged amounts do not sum to zero, and what they sum to, as they were given."""
    rows = tx.all(_CurrencyQuantity, sql["unbalanced_currencies"], currencies=list(currencies))
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
    """Makes the parties and the transfers of the staged amounts."""
    head = {"settlement_id": settlement_id, "partner_id": partner_id}
    tx.run(sql["insert_parties_of_amounts"], **head, dispute_deadline_at=dispute_deadline_at)
    units = {"currencies": list(currencies), "decimals": list(decimals)}
    now = tx.now()
    tx.run(sql["insert_transfers_of_amounts"], **head, **units, id_prefix=time_ordered_prefix(now), now=now)


def insert_parties_of_closures(
    tx: Transaction,
    *,
    settlement_id: UUID,
    partner_id: UUID,
    dispute_deadline_at: datetime,
    connection_ids: Sequence[UUID],
    closure_ids: Sequence[UUID],
) -> None:
    """Makes parties of the connections whose disputes were closed, and of both sides of the closures' transfers."""
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


def lock_parties(tx: Transaction, settlement_id: UUID) -> None:
    tx.run(sql["lock_parties"], settlement_id=settlement_id)


def mark_disputed(tx: Transaction, settlement_id: UUID, connection_ids: Sequence[UUID]) -> int:
    return tx.run(sql["mark_disputed"], settlement_id=settlement_id, connection_ids=list(connection_ids))


def party_connections(tx: Transaction, settlement_id: UUID, among: Sequence[UUID] | None = None) -> list[UUID]:
    if among is None:
        return tx.scalars(UUID, sql["parties"], settlement_id=settlement_id)
    return tx.scalars(UUID, sql["parties_among"], settlement_id=settlement_id, connection_ids=list(among))


def list_informed_connections(tx: Transaction, settlement_id: UUID) -> None:
    """Makes the temporary table ``informed_connection``: whose owners hear of the settlement."""
    tx.run(sql["create_informed_connection"], settlement_id=settlement_id)


def new_quantities(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> list[Quantity]:
    """What the connection gains or loses by the settlement's own transfers, against each counterparty apart."""
    values = {"settlement_id": settlement_id, "connection_id": connection_id}
    return tx.all(Quantity, sql["new_quantities"], **values)


def compute_liabilities(tx: Transaction, settlement_id: UUID) -> None:
    made = tx.run(sql["create_liability"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def compute_losses(tx: Transaction, settlement_id: UUID) -> None:
    """Makes the liabilities of a settlement whose losses are taken before its gains are given."""
    made = tx.run(sql["create_losses"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def compute_dispute_targets(tx: Transaction, settlement_id: UUID, objections: Objections) -> None:
    """Makes the temporary table ``dispute_target``: what each standing dispute's transfers would take."""
    connection_ids = list(objections.standing.values())
    # Only these balances are looked at, of the 100 000 that a settlement may have.
    among = [*connection_ids, *_counterparties(tx, settlement_id, connection_ids)] if connection_ids else []
    _create_dispute_targets(tx, settlement_id, objections, among)


def dispute_targets_around(
    tx: Transaction, settlement_id: UUID, connection_id: UUID, objections: Objections
) -> list[DisputeTarget]:
    """The same as values, on the balances of a connection and of its counterparties."""
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
    """The sum per currency that the run of the settlement would have, as things stand."""
    rows = tx.all(_CurrencyQuantity, sql["net_of_settlement"], settlement_id=settlement_id)
    return {row.currency: int(row.quantity) for row in rows}


def final_amounts(tx: Transaction, settlement_id: UUID) -> list[FinalAmount]:
    """The settlement's own amounts without those of disputed parties, and without what closures add."""
    return tx.all(FinalAmount, sql["final_amounts"], settlement_id=settlement_id)


def compute_run(tx: Transaction, settlement_id: UUID, objections: Objections) -> dict[str, int]:
    """Makes the run of a settlement and gives its sum per currency, as the connections see it.

    The tables are ``run`` and ``dispute_target``: what gains fill first.
    """
    compute_dispute_targets(tx, settlement_id, objections)
    made = tx.run(sql["create_run"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_run"])
    return {row.currency: int(row.quantity) for row in tx.all(_CurrencyQuantity, sql["net_of_run"])}


def list_transfers(tx: Transaction, settlement_id: UUID, wanted: TransferFilter) -> tuple[list[Transfer], int]:
    """One page of a settlement's transfers, and how many there are in all."""
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
    """A page of a client's transfers in settlements of any partner, by when their settlements changed."""
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
