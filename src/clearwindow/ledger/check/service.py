"""Checking the whole network, in one snapshot: the operator's API and ``clearwindow check`` both ask here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.proof")

ROWS_SHOWN: Final = 100
INVARIANTS: Final[Mapping[str, str]] = {
    "balance_equals_its_postings": "every balance is the sum of its journal postings",
    "currency_sums_to_zero": "each currency sums to zero, the outside world included",
    "accounts_hold_what_came_in": "per currency, the accounts hold the deposits less the withdrawals",
    "custody_movement_is_its_entry": "every deposit and withdrawal is one journal entry of its amount",
    "balance_not_negative": "no balance is negative",
    "held_equals_its_holds": "what a balance holds is the sum of its holds",
    "hold_has_an_open_cause": (
        "every hold belongs to an open allocation, deallocation, settlement or dispute, or to an on-chain deposit"
    ),
    "reserved_allocation_is_held": "what a reserved allocation or deallocation moves is held in full",
    "approval_is_as_its_allocation": (
        "an allocation that needs a second user's approval goes on exactly as that user decided"
    ),
    "retriable_allocation_is_asked": "an allocation is retriable while its partner is to be asked, and never else",
    "entry_sums_to_zero": "every journal entry sums to zero",
    "posting_has_its_entry": "every posting belongs to a journal entry and to an account",
    "external_id_names_one_settlement": "a partner's externalId names one settlement",
    "completed_settlement_executed_once": (
        "a settlement with final transfers executes once when it completes, and never otherwise"
    ),
    "onchain_settlement_is_its_transfers": (
        "an on-chain settlement has a course for each transfer, and ends with all of them or none"
    ),
    "onchain_transfers_moved_what_they_say": "a completed on-chain transfer moved its amount once",
    "onchain_settlement_holds_what_it_still_moves": "an on-chain settlement holds what it still has to pay",
    "onchain_deposit_is_its_entry": "every confirmed on-chain deposit is one journal entry, held until it is used",
    "chain_paid_each_transfer_once": "the simulated chain pays a transfer once, as it is written down here",
    "executed_settlement_posts_its_transfers": "a settlement's entry moves what its final transfers say",
    "dispute_holds_what_its_transfers_take": (
        "a dispute holds what the transfers that it keeps from running would take, or those of its closure will"
    ),
    "transfer_has_its_party": "every settlement transfer is between parties of its settlement",
    "closure_is_assigned_as_its_dispute": (
        "the transfers of an approved dispute closure are in the settlement that settles its dispute"
    ),
}
"""What must always hold, by the name of the statement that finds what breaks it. Protocol §10."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that does not hold: how many rows break it, and the first of them."""

    invariant: str
    message: str
    count: int
    rows: tuple[Mapping[str, str | None], ...]

    @property
    def details(self) -> dict[str, object]:
        return {"count": self.count, "rows": list(self.rows)}


def check_ledger(tx: Transaction) -> list[Finding]:
    """Everything that does not hold; empty is what it must be.

    The transaction must be fresh: it becomes one read-only snapshot, so that statements that run one after
    another see the same moment while money moves on.
    """
    tx.run(sql["begin_snapshot"])
    return findings(tx)


def findings(tx: Transaction) -> list[Finding]:
    """The same in the transaction as it stands, with what it has not committed yet."""
    found = (_check(tx, invariant, message) for invariant, message in INVARIANTS.items())
    return [finding for finding in found if finding is not None]


def _check(tx: Transaction, invariant: str, message: str) -> Finding | None:
    broken = tx.records(sql[invariant], limit=ROWS_SHOWN)
    if not broken:
        return None
    count = int(str(broken[0]["total"]))
    rows = [
        {name: None if value is None else str(value) for name, value in row.items() if name != "total"}
        for row in broken
    ]
    return Finding(invariant, f"it does not hold that {message}", count, tuple(rows))
