"""Reads of deadlines, and of what the settlements of a page take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.liquidity.calendar.models import Deadline, DeadlineFilter, Part
from clearwindow.postgres.paging import Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.liquidity.calendar")
_EARLIEST_FIRST: Final = Order({"at": datetime, "settlement_id": UUID, "kind": str}, descending=False)


@dataclass(frozen=True, slots=True)
class _PartRow:
    settlement_id: UUID
    connection_id: UUID
    currency: str
    quantity: int
    held: int


def of_partner(tx: Transaction, partner_id: UUID, wanted: DeadlineFilter, part: Slice) -> Listing[Deadline]:
    values = {"partner_id": partner_id, **asdict(wanted)}
    return keyset_page(tx, Deadline, sql["of_partner"], values, _EARLIEST_FIRST, part)


def of_client(tx: Transaction, client_id: UUID, wanted: DeadlineFilter, part: Slice) -> Listing[Deadline]:
    values = {"client_id": client_id, **asdict(wanted)}
    return keyset_page(tx, Deadline, sql["of_client"], values, _EARLIEST_FIRST, part)


def parts_of_client(tx: Transaction, client_id: UUID, settlement_ids: Collection[UUID]) -> dict[UUID, list[Part]]:
    """Returns what each settlement does to the client's connections, by connection and currency."""
    found: dict[UUID, list[Part]] = {settlement_id: [] for settlement_id in settlement_ids}
    values = {"client_id": client_id, "settlement_ids": list(found)}
    for row in tx.all(_PartRow, sql["parts"], **values):
        found[row.settlement_id].append(Part(row.connection_id, row.currency, row.quantity, row.held))
    return found
