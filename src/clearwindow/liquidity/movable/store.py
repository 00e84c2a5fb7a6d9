"""Reads of balances with what holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance, HoldCause
from clearwindow.liquidity.movable.models import Funds, HeldFor
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.liquidity.movable")
MOST_HOLDS: Final = 20
"""How many holds are shown of each currency, the largest first."""


@dataclass(frozen=True, slots=True)
class _HoldRow:
    cause: HoldCause
    cause_id: UUID
    currency: str
    quantity: int
    hold_count: int


def funds_of(tx: Transaction, account_id: UUID, partner_id: UUID | None = None) -> dict[str, Funds]:
    """Returns the balances of an account by currency. ``partner_id``: whose network account it is, if it is one."""
    rows: dict[str, list[_HoldRow]] = {}
    values = {"account_id": account_id, "partner_id": partner_id, "most": MOST_HOLDS}
    for row in tx.all(_HoldRow, sql["holds_of_account"], **values):
        rows.setdefault(row.currency, []).append(row)
    balances = ledger.balances_of(tx, [account_id])[account_id]
    return {currency: _funds(balance, rows.get(currency, [])) for currency, balance in balances.items()}


def _funds(balance: Balance, rows: list[_HoldRow]) -> Funds:
    holds = [HeldFor(row.cause, row.cause_id, row.currency, row.quantity) for row in rows]
    return Funds(balance, holds, rows[0].hold_count if rows else 0)
