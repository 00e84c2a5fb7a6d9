"""The check of the whole network in one snapshot, for the operator's API and ``clearwindow check``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString

from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.ledger.check")

ROWS_SHOWN: Final = 100
INVARIANTS: Final[Mapping[str, str]] = {
    "balance_equals_its_postings": "every balance is the sum of its journal postings",
    "currency_sums_to_zero": "each currency sums to zero, the outside world included",
    "accounts_hold_what_came_in": "in each currency, the accounts hold all deposits less all withdrawals",
    "custody_movement_is_its_entry": "every deposit and withdrawal has one journal entry with its amount",
    "balance_not_negative": "no balance is negative",
    "held_equals_its_holds": "the held part of every balance is the sum of its holds",
    "hold_has_an_open_cause": (
        "every hold belongs to an open allocation, deallocation, settlement or dispute, to an on-chain deposit, or"
        " to a proposed withdrawal"
    ),
    "reserved_allocation_is_held": "every reserved allocation and deallocation is held in full",
    "proposed_withdrawal_is_held": "every proposed withdrawal is held in full while it waits",
    "approval_is_as_its_allocation": (
        "an allocation that needs a second user's approval follows that user's decision"
    ),
    "retriable_allocation_is_asked": "an allocation is retriable exactly while a call to its partner is open",
    "entry_sums_to_zero": "every journal entry sums to zero",
    "posting_has_its_entry": "every posting belongs to a journal entry and to an account",
    "external_id_names_one_settlement": "a partner's externalId names one settlement",
    "completed_settlement_executed_once": (
        "a settlement with final transfers executes exactly once, when it completes or its closures run"
    ),
    "onchain_settlement_is_its_transfers": (
        "an on-chain settlement has one on-chain transfer for each transfer, and completes all of them or none"
    ),
    "onchain_transfers_moved_what_they_say": "a completed on-chain transfer moved its amount once",
    "onchain_settlement_holds_what_it_still_moves": "an on-chain settlement holds what it still has to pay",
    "onchain_deposit_is_its_entry": "every confirmed on-chain deposit has one journal entry and is held until used",
    "chain_paid_each_transfer_once": "the simulated chain pays a transfer once, with the recorded amount",
    "executed_settlement_posts_its_transfers": "the entry of a settlement moves the amounts of its final transfers",
    "settlement_holds_what_its_transfers_take": (
        "an open settlement holds what those of its transfers that still run could take"
    ),
    "dispute_holds_what_its_transfers_take": (
        "an open dispute holds at most what its transfers would take, a closed one what its closure's will take"
    ),
    "transfer_has_its_party": "every settlement transfer is between parties of its settlement",
    "settlement_event_is_for_its_clients": (
        "every event of a settlement's step is for each client with a connection in the settlement"
    ),
    "closure_is_assigned_as_its_dispute": (
        "the transfers of an approved dispute closure are in the settlement that settles its dispute"
    ),
}
"""What must always be true, by the name of the statement that finds violations. Protocol §10."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated invariant: the number of rows that violate it, and the first of them."""

    invariant: str
    message: str
    count: int
    rows: tuple[Mapping[str, str | None], ...]

    @property
    def details(self) -> dict[str, object]:
        return {"count": self.count, "rows": list(self.rows)}


def check_ledger(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants.

    The transaction must be new. It becomes a read-only snapshot, so that all statements see the same moment while
    other transactions move money.
    """
    tx.run(sql["begin_snapshot"])
    return findings(tx)


def findings(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants as this transaction sees them, including its uncommitted changes."""
    found = (finding(tx, sql[invariant], invariant, message) for invariant, message in INVARIANTS.items())
    return [violated for violated in found if violated is not None]


def finding(tx: Transaction, statement: LiteralString, invariant: str, message: str) -> Finding | None:
    """Returns the rows that a statement finds, which violate an invariant; None if there are none."""
    broken = tx.records(statement, limit=ROWS_SHOWN)
    if not broken:
        return None
    count = int(str(broken[0]["total"]))
    rows = [
        {name: None if value is None else str(value) for name, value in row.items() if name != "total"}
        for row in broken
    ]
    return Finding(invariant, f"violated: {message}", count, tuple(rows))
