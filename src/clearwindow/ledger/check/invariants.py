"""What the check of the books verifies: each invariant has a name, a sentence and one statement. Protocol §10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

from clearwindow.postgres.queries import Queries

_ROOMS: Final = ("journal", "holds", "entries", "records")
_STATEMENTS: Final[Mapping[str, LiteralString]] = {
    name: statement for room in _ROOMS for name, statement in Queries(f"clearwindow.ledger.check.{room}").items()
}
INVARIANTS: Final[Mapping[str, str]] = {
    "balance_equals_its_postings": "every balance is the sum of its journal postings",
    "currency_sums_to_zero": "each currency sums to zero, the outside world included",
    "accounts_hold_what_came_in": "in each currency, the accounts hold all deposits less all withdrawals",
    "custody_movement_is_its_entry": (
        "every deposit and withdrawal has one journal entry, which moves its amount from or to the outside world"
    ),
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
        "an open dispute holds what its transfers would take, a closed one what its closure's will take"
    ),
    "transfer_has_its_party": "every settlement transfer is between parties of its settlement",
    "settlement_event_is_for_its_clients": (
        "every event of a settlement's step is for each client with a connection in the settlement"
    ),
    "closure_is_assigned_as_its_dispute": (
        "the transfers of an approved dispute closure are in the settlement that settles its dispute"
    ),
    "entry_has_its_cause": (
        "every journal entry has a cause in a state that makes such an entry, and every such cause its entries"
    ),
    "entry_moves_what_its_kind_may": (
        "every posting is in an account and bucket, and has a sign, that entries of its kind may have"
    ),
    "hold_entry_moves_between_buckets": (
        "an entry that holds or releases moves money between available and held of one balance"
    ),
    "allocation_moves_what_it_says": (
        "the entries of an allocation move its amount between its client's Go Account and its connection"
    ),
    "proposed_withdrawal_moves_what_it_says": "the entries of a proposed withdrawal hold and release its amount",
    "top_up_moves_what_it_says": (
        "the entry of a top-up moves its amounts from the instruction's Go Account to the partner's"
    ),
    "top_up_is_as_instructed": (
        "a top-up is for a settlement that executed, and within an instruction of its partner that stood then"
    ),
    "settlement_entry_holds_its_liability": "the entry that stages a settlement holds its largest possible losses",
    "settlement_entries_explain_its_holds": (
        "a settlement, its disputes and its deposits hold what its entries hold and have not released"
    ),
    "transfer_is_of_its_connection": (
        "a transfer is between accounts of its connections, and of its settlement's partner"
    ),
    "party_is_of_its_settlement": "a party of a settlement has the settlement's partner and dispute deadline",
    "record_names_its_partner": (
        "connections, allocations, disputes, closures, holds and entries name the partner that they are of"
    ),
    "party_is_disputed_as_its_dispute_stood": (
        "a party is disputed if and only if its dispute stood when the window ended"
    ),
    "open_settlement_is_due_by_its_deadline": "the next step of an open settlement is due by its deadline",
    "closure_adjusts_as_it_says": "an approved dispute closure has the transfers that it says",
}
"""What must always be true, by the name of the statement that finds violations."""


def statement_of(invariant: str) -> LiteralString:
    """Returns the statement that finds the rows which violate an invariant."""
    return _STATEMENTS[invariant]


def statement_names() -> frozenset[str]:
    return frozenset(_STATEMENTS)
