"""Money of a whole settlement at once: each function is one named statement over a temporary table.

The tables are made by the caller in the same transaction: ``liability``, ``dispute_target`` and ``run``; the
statements say what their columns mean. The caller holds the partner's lock, under which nothing
else moves more than one network balance at a time, so that rows need not be locked beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.accounts import store
from clearwindow.accounts.values import Entry, HoldCause, Shortfall
from clearwindow.database.pool import Transaction

sql: Final = store.sql


@dataclass(frozen=True, slots=True)
class _ShortfallRow:
    account_id: UUID
    currency: str
    liability: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class _Moved:
    wanted: int
    done: int


def hold_liabilities(tx: Transaction, entry: Entry, former_cause_ids: Sequence[UUID]) -> list[Shortfall]:
    """Holds every liability for the entry's settlement, taking over what the former causes hold.

    Returns:
        The liabilities that are not covered. If there is any, the caller must roll the transaction back.
    """
    store.insert_entry(tx, entry)
    rows = tx.all(
        _ShortfallRow,
        sql["hold_liabilities"],
        partner_id=entry.partner_id,
        entry_id=entry.id,
        cause_id=entry.cause_id,
        cause_kind=HoldCause.SETTLEMENT,
        former_cause_ids=list(former_cause_ids),
    )
    return [Shortfall(row.account_id, row.currency, int(row.liability), int(row.available)) for row in rows]


def hand_holds_to_disputes(tx: Transaction, partner_id: UUID, settlement_id: UUID) -> None:
    """Hands holds over as ``dispute_target`` says; no balance changes, only why it is held."""
    tx.run(sql["hand_holds_to_disputes"], partner_id=partner_id, settlement_id=settlement_id)


def settle_run(tx: Transaction, entry: Entry, partner_account_id: UUID, partner_change: Mapping[str, int]) -> None:
    """Executes ``run`` for the entry's settlement; the partner's account changes by ``partner_change``."""
    store.insert_entry(tx, entry)
    tx.run(sql["add_missing_balances_of_run"])
    moved = tx.one(
        _Moved,
        sql["settle_run"],
        partner_id=entry.partner_id,
        entry_id=entry.id,
        settlement_id=entry.cause_id,
        partner_account_id=partner_account_id,
        partner_currencies=list(partner_change),
        partner_quantities=[Decimal(quantity) for quantity in partner_change.values()],
    )
    if moved.wanted != moved.done:
        raise AssertionError(f"{moved.wanted} balances had to move, {moved.done} did")


def uncovered_losses(tx: Transaction) -> list[Shortfall]:
    """The losses of ``run`` that what is available does not cover. The losing balances stay locked."""
    tx.run(sql["lock_losing_balances"])
    rows = tx.all(_ShortfallRow, sql["uncovered_losses"])
    return [Shortfall(row.account_id, row.currency, int(row.liability), int(row.available)) for row in rows]


def release_holds(tx: Transaction, entry: Entry) -> None:
    """Gives back all that the entry's cause holds."""
    store.insert_entry(tx, entry)
    values = {"partner_id": entry.partner_id, "entry_id": entry.id, "cause_id": entry.cause_id}
    tx.run(sql["release_holds"], **values)
