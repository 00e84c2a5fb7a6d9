"""What settlements and disputes may do with parties and transfers.

Whole settlements go through temporary tables and one statement each, never row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.ids import time_ordered_prefix
from clearwindow.transfers.values import FinalAmount, Party, Transfer, UnfitAmount

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


def stage_amounts(tx: Transaction, lines: Iterable[str], count: int) -> None:
    """Copies amounts in as lines of connection, account, number of the currency and amount, tab-separated."""
    tx.run(sql["create_staged_amount"])
    with tx.copy_in(sql["copy_staged_amount"]) as copy:
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


def insert_parties(
    tx: Transaction,
    *,
    settlement_id: UUID,
    partner_id: UUID,
    dispute_deadline_at: datetime,
    connection_ids: Sequence[UUID],
) -> None:
    head = {"settlement_id": settlement_id, "partner_id": partner_id, "dispute_deadline_at": dispute_deadline_at}
    tx.run(sql["insert_parties"], **head, connection_ids=list(connection_ids))


def insert_closure_transfers(
    tx: Transaction,
    *,
    partner_id: UUID,
    closure_id: UUID,
    connection_id: UUID,
    account_id: UUID,
    quantities: Mapping[str, int],
) -> None:
    tx.run(
        sql["insert_closure_transfers"],
        partner_id=partner_id,
        closure_id=closure_id,
        connection_id=connection_id,
        account_id=account_id,
        currencies=list(quantities),
        quantities=[Decimal(quantity) for quantity in quantities.values()],
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


def new_quantities(tx: Transaction, settlement_id: UUID, connection_id: UUID) -> dict[str, int]:
    values = {"settlement_id": settlement_id, "connection_id": connection_id}
    return {row.currency: int(row.quantity) for row in tx.all(_CurrencyQuantity, sql["new_quantities"], **values)}


def compute_liabilities(tx: Transaction, settlement_id: UUID) -> None:
    made = tx.run(sql["create_liability"], settlement_id=settlement_id)
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_liability"])


def compute_kept(tx: Transaction, settlement_id: UUID, disputes: Mapping[UUID, UUID]) -> None:
    tx.run(sql["create_kept"], settlement_id=settlement_id, **_dispute_arrays(disputes))


def net_of_final(tx: Transaction, settlement_id: UUID) -> dict[str, int]:
    """The sum per currency that the run of the settlement would have, as things stand."""
    rows = tx.all(_CurrencyQuantity, sql["net_of_settlement"], settlement_id=settlement_id)
    return {row.currency: int(row.quantity) for row in rows}


def final_amounts(tx: Transaction, settlement_id: UUID) -> list[FinalAmount]:
    """The settlement's own amounts without those of disputed parties, and without what closures add."""
    return tx.all(FinalAmount, sql["final_amounts"], settlement_id=settlement_id)


def compute_run(tx: Transaction, settlement_id: UUID, disputes: Mapping[UUID, UUID]) -> dict[str, int]:
    """Makes the run of a settlement and gives its sum per currency, as the connections see it."""
    made = tx.run(sql["create_run"], settlement_id=settlement_id, **_dispute_arrays(disputes))
    if made >= _ANALYZE_FROM_ROWS:
        tx.run(sql["analyze_run"])
    return {row.currency: int(row.quantity) for row in tx.all(_CurrencyQuantity, sql["net_of_run"])}


def list_transfers(
    tx: Transaction,
    settlement_id: UUID,
    *,
    connection_ids: Sequence[UUID] | None,
    network_account_ids: Sequence[UUID] | None,
    currencies: Sequence[str] | None,
    limit: int,
    offset: int,
) -> tuple[list[Transfer], int]:
    """One page of a settlement's transfers, and how many there are in all."""
    filters = {
        "settlement_id": settlement_id,
        "connection_ids": None if connection_ids is None else list(connection_ids),
        "network_account_ids": None if network_account_ids is None else list(network_account_ids),
        "currencies": None if currencies is None else list(currencies),
    }
    page = tx.all(Transfer, sql["list_transfers"], **filters, limit=limit, offset=offset)
    return page, tx.scalars(int, sql["count_transfers"], **filters)[0]


def closure_transfers(tx: Transaction, closure_ids: Sequence[UUID]) -> list[Transfer]:
    return tx.all(Transfer, sql["list_closure_transfers"], closure_ids=list(closure_ids))


def directions(tx: Transaction, settlement_ids: Sequence[UUID], connection_ids: Sequence[UUID]) -> list[Direction]:
    values = {"settlement_ids": list(settlement_ids), "connection_ids": list(connection_ids)}
    return tx.all(Direction, sql["directions"], **values)


def _dispute_arrays(disputes: Mapping[UUID, UUID]) -> dict[str, list[UUID]]:
    return {"dispute_ids": list(disputes), "connection_ids": list(disputes.values())}
