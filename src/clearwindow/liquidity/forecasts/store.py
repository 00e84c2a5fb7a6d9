"""Reads of what a forecast is made of. The caller reads all of it in one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey
from clearwindow.liquidity.forecasts.models import Pending, Stake, Target
from clearwindow.postgres.paging import Listing, Slice, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.settlements.models import Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import NO_OBJECTIONS, Objections

sql: Final = Queries("clearwindow.liquidity.forecasts")


@dataclass(frozen=True, slots=True)
class _PendingRow:
    id: UUID
    external_id: str
    created_at: datetime
    state: SettlementState
    due_at: datetime | None
    top_up_deadline_at: datetime
    execute_when_funded: bool
    closures_wait: bool
    paused: bool


@dataclass(frozen=True, slots=True)
class _Net:
    settlement_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _Line:
    connection_id: UUID
    account_id: UUID
    currency: str
    quantity: int


def pending_of_partner(
    tx: Transaction,
    partner_id: UUID,
    *,
    limit: int,
    first: UUID | None = None,
    undisputed: Sequence[UUID] = (),
) -> list[Pending]:
    """Returns the partner's open settlements: the ``first`` one, then those with the earliest deadlines.

    Disputes of the ``undisputed`` settlements are taken as retracted.
    """
    values = {"partner_id": partner_id, "first": first, "limit": limit}
    rows = tx.all(_PendingRow, sql["pending_of_partner"], **values)
    changes = changes_of(tx, [row.id for row in rows], undisputed=undisputed)
    return [
        Pending(
            id=row.id,
            external_id=row.external_id,
            created_at=row.created_at,
            state=row.state,
            due_at=row.due_at,
            top_up_deadline_at=row.top_up_deadline_at,
            execute_when_funded=row.execute_when_funded,
            closures_wait=row.closures_wait,
            paused=row.paused,
            change=changes[row.id],
        )
        for row in rows
    ]


def changes_of(
    tx: Transaction, settlement_ids: Collection[UUID], *, undisputed: Sequence[UUID] = ()
) -> dict[UUID, dict[str, int]]:
    """Returns how much each settlement changes the partner's account by currency, if disputes stay as they are."""
    changes: dict[UUID, dict[str, int]] = {settlement_id: {} for settlement_id in settlement_ids}
    for net in tx.all(_Net, sql["nets"], settlement_ids=list(changes), undisputed=list(undisputed)):
        changes[net.settlement_id][net.currency] = -net.quantity
    return changes


def most_needed(tx: Transaction, settlement_ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """Returns the most that each settlement in its dispute window can take of each currency from the account."""
    most: dict[UUID, dict[str, int]] = {settlement_id: {} for settlement_id in settlement_ids}
    for row in tx.all(_Net, sql["most_needed"], settlement_ids=list(most)):
        most[row.settlement_id][row.currency] = row.quantity
    return most


def stakes(
    tx: Transaction,
    settlement: Settlement,
    objections: Objections,
    connection_ids: Sequence[UUID] | None,
    part: Slice,
    stopped: Collection[UUID],
) -> Listing[Stake]:
    """Returns a page of what the settlement does to balances, by connection and currency.

    ``objections`` are the disputes that keep holds, ``stopped`` the connections whose new transfers do not run.
    Both leave out what is taken as retracted. ``connection_ids`` is None for all connections.
    """
    values = {
        "settlement_id": settlement.id,
        "without_new": settlement.is_without_new,
        "stopped": list(stopped),
        "cancelled": transfers.cancelled_closures(tx, settlement.id),
        "connection_ids": None if connection_ids is None else list(connection_ids),
    }
    page = list_page(tx, _Line, sql["list_stakes"], values, limit=part.limit, offset=part.offset)
    if settlement.is_without_new:
        objections = NO_OBJECTIONS
    return Listing(_with_holds(tx, settlement, objections, page.items), page.total)


def stopped_connections(tx: Transaction, settlement_id: UUID) -> list[UUID]:
    """Returns the connections whose clients dispute the settlement, also where the dispute is closed."""
    return tx.scalars(UUID, sql["stopped_connections"], settlement_id=settlement_id)


def _with_holds(
    tx: Transaction, settlement: Settlement, objections: Objections, lines: Sequence[_Line]
) -> list[Stake]:
    connections, accounts = {line.connection_id for line in lines}, {line.account_id for line in lines}
    causes = tx.scalars(UUID, sql["dispute_causes"], settlement_id=settlement.id)
    held = ledger.holds_on(tx, [settlement.id, *causes], accounts)
    targets: dict[BalanceKey, list[Target]] = {}
    counted: set[tuple[UUID, BalanceKey]] = set()
    for one in transfers.dispute_targets_on(tx, settlement.id, objections, sorted(connections)):
        key = BalanceKey(one.account_id, one.currency)
        targets.setdefault(key, []).append(Target(one.quantity, held[one.dispute_id].get(key, 0)))
        counted.add((one.dispute_id, key))
    others: dict[BalanceKey, int] = {}
    for cause_id in causes:
        for key, quantity in held[cause_id].items():
            if (cause_id, key) not in counted:
                others[key] = others.get(key, 0) + quantity
    return [_stake(line, held[settlement.id], targets, others) for line in lines]


def _stake(
    line: _Line,
    held: dict[BalanceKey, int],
    targets: dict[BalanceKey, list[Target]],
    others: dict[BalanceKey, int],
) -> Stake:
    key = BalanceKey(line.account_id, line.currency)
    return Stake(
        connection_id=line.connection_id,
        account_id=line.account_id,
        currency=line.currency,
        quantity=line.quantity,
        held=held.get(key, 0),
        targets=targets.get(key, ()),
        held_for_closures=others.get(key, 0),
    )
