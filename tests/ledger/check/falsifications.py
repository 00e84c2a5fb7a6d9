"""What somebody may change who has the database, and which invariant names it. ``{name}`` is an id of the scenario."""

from __future__ import annotations

from typing import Final

_AVAILABLE_OF_ANN: Final = "(SELECT network_account_id FROM connection WHERE id = '{ann}')"
_ENTRY: Final = "00000000-0000-0000-0000-0000000000e1"
_NIL: Final = "00000000-0000-0000-0000-000000000000"


def _enter(kind: str, cause: str, *postings: tuple[str, str, int], partner: str = "{exchange}") -> str:
    """Returns statements for an entry with its postings, and the balances that follow from it."""
    statements = [
        (
            "INSERT INTO ledger_entry (id, partner_id, kind, cause_id, created_at)"
            f" VALUES ('{_ENTRY}', '{partner}', '{kind}', '{cause}', now())"
        )
    ]
    moved: dict[str, dict[str, int]] = {}
    for account, bucket, quantity in postings:
        moved.setdefault(account, {"available": 0, "held": 0})[bucket] += quantity
    rows = ", ".join(f"({account}, {by['available']}, {by['held']})" for account, by in moved.items())
    statements.append(
        "INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)"
        " SELECT entry.number, account.number, currency.number,"
        " entry.kind IN ('settlement_held', 'settlement_executed', 'settlement_rejected'), available, held"
        f" FROM (VALUES {rows}) AS given (account_id, available, held)"
        f" JOIN account ON account.id = account_id JOIN ledger_entry AS entry ON entry.id = '{_ENTRY}'"
        " JOIN currency ON currency.name = 'ofcbtc'"
    )
    statements += [
        f"UPDATE balance SET {bucket} = {bucket} + {quantity} WHERE account_id = {account} AND currency = 'ofcbtc'"
        for account, bucket, quantity in postings
    ]
    return "; ".join(statements)


_GO_OF_EXCHANGE: Final = "(SELECT go_account_id FROM partner WHERE id = '{exchange}')"
_GO_OF_ANN: Final = (
    "(SELECT go_account_id FROM client JOIN connection ON connection.client_id = client.id"
    " WHERE connection.id = '{ann}')"
)
_LESS_HELD: Final = ((_AVAILABLE_OF_ANN, "held", -4), (_AVAILABLE_OF_ANN, "available", 4))

NAMED: Final[dict[str, tuple[str, set[str]]]] = {
    # Balances.
    "01 a balance grows": (
        f"UPDATE balance SET available = available + 1 WHERE account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'",
        {"balance_equals_its_postings", "currency_sums_to_zero", "accounts_hold_what_came_in"},
    ),
    "02 a balance's funds become held": (
        (
            "UPDATE balance SET available = available - 1, held = held + 1"
            f" WHERE account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'"
        ),
        {"balance_equals_its_postings", "held_equals_its_holds"},
    ),
    "03 a balance moves to another account": (
        (
            f"UPDATE balance SET available = available + 1 WHERE account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc';"
            f" UPDATE balance SET available = available - 1 WHERE account_id = {_GO_OF_ANN} AND currency = 'ofcbtc'"
        ),
        {"balance_equals_its_postings"},
    ),
    "04 a balance is deleted": (
        f"DELETE FROM balance WHERE account_id = {_AVAILABLE_OF_ANN}",
        {"balance_equals_its_postings", "held_equals_its_holds"},
    ),
    "04b a balance has the number of another account": (
        f"UPDATE balance SET account_number = 0 WHERE account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'",
        {"balance_equals_its_postings"},
    ),
    # Holds.
    "05 an open settlement holds less": (
        _enter("settlement_rejected", "{open}", *_LESS_HELD)
        + "; UPDATE hold SET quantity = quantity - 4 WHERE cause_id = '{open}'"
        f" AND account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'",
        {"settlement_holds_what_its_transfers_take", "entry_has_its_cause"},
    ),
    "06 a standing dispute holds less": (
        _enter("dispute_closure_held", "{standing_dispute}", *_LESS_HELD)
        + "; UPDATE hold SET quantity = quantity - 4 WHERE cause_id = '{standing_dispute}'",
        {"dispute_holds_what_its_transfers_take", "entry_has_its_cause"},
    ),
    "07 a hold moves to another open settlement": (
        "UPDATE hold SET cause_id = '{failed}' WHERE cause_id = '{open}'",
        {"settlement_holds_what_its_transfers_take", "settlement_entries_explain_its_holds"},
    ),
    "07b a hold is taken from a dispute and given to a settlement": (
        (
            "UPDATE hold SET quantity = quantity - 4 WHERE cause_id = '{standing_dispute}';"
            " UPDATE hold SET quantity = quantity + 4 WHERE cause_id = '{open}'"
            f" AND account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'"
        ),
        {
            "settlement_holds_what_its_transfers_take",
            "dispute_holds_what_its_transfers_take",
            "settlement_entries_explain_its_holds",
        },
    ),
    "07c a hold is deleted": (
        "DELETE FROM hold WHERE cause_id = '{reserved}'",
        {"held_equals_its_holds", "reserved_allocation_is_held"},
    ),
    "07d a hold is of another kind": (
        "UPDATE hold SET cause_kind = 'deallocation' WHERE cause_id = '{reserved}'",
        {"hold_has_an_open_cause"},
    ),
    "07e a hold is of another partner": (
        "UPDATE hold SET partner_id = '{ann}' WHERE cause_id = '{open}'",
        {"record_names_its_partner"},
    ),
    "07f a proposed withdrawal is not held": (
        "DELETE FROM hold WHERE cause_id = '{proposal}'",
        {"proposed_withdrawal_is_held", "held_equals_its_holds"},
    ),
    "07g an on-chain loss is not held": (
        "DELETE FROM hold WHERE cause_id = '{onchain_open}'",
        {"onchain_settlement_holds_what_it_still_moves"},
    ),
    # Entries that no cause explains.
    "08 money leaves by an entry of a rejection": (
        _enter(
            "settlement_rejected",
            "{rejected}",
            (_AVAILABLE_OF_ANN, "available", -5),
            (_GO_OF_EXCHANGE, "available", 5),
        ),
        {"entry_moves_what_its_kind_may", "entry_has_its_cause", "hold_entry_moves_between_buckets"},
    ),
    "09 money leaves by an entry of an allocation": (
        _enter(
            "allocation_cleared",
            "{deallocated}",
            (_AVAILABLE_OF_ANN, "available", 5),
            (_GO_OF_EXCHANGE, "available", -5),
        ),
        {"entry_moves_what_its_kind_may", "entry_has_its_cause", "allocation_moves_what_it_says"},
    ),
    "10 money leaves by an entry of a withdrawal": (
        _enter("withdrawal", _ENTRY, (_GO_OF_ANN, "available", -5), (f"'{_NIL}'", "available", 5), partner=_NIL),
        {"custody_movement_is_its_entry", "entry_has_its_cause", "accounts_hold_what_came_in"},
    ),
    "11 a settlement executes twice": (
        _enter(
            "settlement_executed",
            "{executed}",
            (_AVAILABLE_OF_ANN, "available", -5),
            (_GO_OF_EXCHANGE, "available", 5),
        ),
        {"completed_settlement_executed_once", "executed_settlement_posts_its_transfers", "entry_has_its_cause"},
    ),
    "11b an open settlement executes": (
        _enter(
            "settlement_executed", "{open}", (_AVAILABLE_OF_ANN, "available", -5), (_GO_OF_EXCHANGE, "available", 5)
        ),
        {"completed_settlement_executed_once", "entry_has_its_cause"},
    ),
    "12 money leaves by an entry of an on-chain deposit": (
        _enter(
            "onchain_deposit_released",
            "{onchain_ended}",
            (_GO_OF_EXCHANGE, "available", 5),
            (_GO_OF_ANN, "available", -5),
        ),
        {"entry_moves_what_its_kind_may", "hold_entry_moves_between_buckets"},
    ),
    "12b a proposed withdrawal is released while it waits": (
        _enter(
            "withdrawal_released",
            "{proposal}",
            (_GO_OF_ANN, "available", 5),
            (_GO_OF_ANN, "held", -5),
            partner=_NIL,
        ),
        {"entry_has_its_cause", "proposed_withdrawal_moves_what_it_says", "held_equals_its_holds"},
    ),
    "12c a staged settlement holds more": (
        _enter("settlement_held", "{open}", (_AVAILABLE_OF_ANN, "available", -5), (_AVAILABLE_OF_ANN, "held", 5)),
        {"settlement_entry_holds_its_liability", "entry_has_its_cause", "settlement_entries_explain_its_holds"},
    ),
    # The journal.
    "13 a posting has another amount": (
        (
            "UPDATE entry_posting SET held = held + 1"
            " WHERE entry_number IN (SELECT number FROM ledger_entry WHERE cause_id = '{open}')"
        ),
        {"balance_equals_its_postings", "entry_sums_to_zero"},
    ),
    "13b a posting is of another account": (
        (
            f"UPDATE entry_posting SET account_number = (SELECT number FROM account WHERE id = {_GO_OF_EXCHANGE})"
            f" WHERE account_number = (SELECT number FROM account WHERE id = {_AVAILABLE_OF_ANN}) AND entry_number IN"
            " (SELECT number FROM ledger_entry WHERE cause_id = '{rejected}' AND kind = 'settlement_held')"
        ),
        {"balance_equals_its_postings", "entry_moves_what_its_kind_may"},
    ),
    "13c a posting is not said to be of a settlement": (
        (
            "UPDATE entry_posting SET of_settlement = false WHERE entry_number IN"
            " (SELECT number FROM ledger_entry WHERE cause_id = '{open}')"
        ),
        {"posting_has_its_entry"},
    ),
    "13d an entry and its postings are deleted": (
        (
            "DELETE FROM entry_posting"
            " WHERE entry_number IN (SELECT number FROM ledger_entry WHERE cause_id = '{executed}');"
            " DELETE FROM ledger_entry WHERE cause_id = '{executed}'"
        ),
        {"balance_equals_its_postings", "entry_has_its_cause", "executed_settlement_posts_its_transfers"},
    ),
    "13e an entry is deleted": (
        "DELETE FROM ledger_entry WHERE cause_id = '{executed}'",
        {"posting_has_its_entry"},
    ),
    "13f an entry is of another kind": (
        "UPDATE ledger_entry SET kind = 'allocation_released' WHERE cause_id = '{reserved}'",
        {"entry_has_its_cause"},
    ),
    "13g an entry has another cause": (
        "UPDATE ledger_entry SET cause_id = '{open}' WHERE cause_id = '{executed}' AND kind = 'settlement_executed'",
        {"entry_has_its_cause", "executed_settlement_posts_its_transfers"},
    ),
    "13h an entry is of another partner": (
        "UPDATE ledger_entry SET partner_id = '{ann}' WHERE cause_id = '{executed}'",
        {"record_names_its_partner"},
    ),
    "13i an account is overdrawn": (
        (
            "ALTER TABLE balance DROP CONSTRAINT balance_available_not_negative;"
            f" UPDATE balance SET available = -1 WHERE account_id = {_AVAILABLE_OF_ANN} AND currency = 'ofcbtc'"
        ),
        {"balance_not_negative"},
    ),
    # Parties and disputes.
    "14 a party is disputed without a dispute": (
        "UPDATE settlement_party SET disputed = true WHERE settlement_id = '{failed}'",
        {"party_is_disputed_as_its_dispute_stood"},
    ),
    "14b a disputed party is not disputed": (
        "UPDATE settlement_party SET disputed = false WHERE settlement_id = '{standing}'",
        {"party_is_disputed_as_its_dispute_stood", "dispute_holds_what_its_transfers_take"},
    ),
    "14c a party is disputed before its window ends": (
        "UPDATE settlement_party SET disputed = true WHERE settlement_id = '{trade}' AND connection_id = '{cid}'",
        {"party_is_disputed_as_its_dispute_stood"},
    ),
    "14d a dispute was raised after the window": (
        "UPDATE dispute SET created_at = created_at + interval '1 day' WHERE id = '{standing_dispute}'",
        {"party_is_disputed_as_its_dispute_stood"},
    ),
    "15 a dispute is retracted and keeps its hold": (
        "UPDATE dispute SET retracted = true, retracted_by = 'u', retracted_at = now() WHERE id = '{standing_dispute}'",
        {"hold_has_an_open_cause", "party_is_disputed_as_its_dispute_stood"},
    ),
    "15b a dispute is deleted": (
        "DELETE FROM dispute WHERE id = '{standing_dispute}'",
        {"hold_has_an_open_cause", "party_is_disputed_as_its_dispute_stood"},
    ),
    # Settlements.
    "16 a settlement is due in a hundred years": (
        "UPDATE settlement SET due_at = due_at + interval '100 years' WHERE id = '{open}'",
        {"open_settlement_is_due_by_its_deadline"},
    ),
    "16b the closures of a rejected settlement run in a hundred years": (
        "UPDATE settlement SET due_at = due_at + interval '100 years' WHERE id = '{rejected}'",
        {"open_settlement_is_due_by_its_deadline"},
    ),
    "16c an on-chain settlement is looked at in a hundred years": (
        "UPDATE settlement SET due_at = due_at + interval '100 years' WHERE id = '{onchain_open}'",
        {"open_settlement_is_due_by_its_deadline"},
    ),
    "17 a dispute window ends earlier": (
        "UPDATE settlement SET dispute_deadline_at = created_at, due_at = created_at WHERE id = '{open}'",
        {"party_is_of_its_settlement"},
    ),
    "18 a settlement ends and keeps its hold": (
        (
            "UPDATE settlement SET state = 'rejected', due_at = NULL, finalized_at = now(), reason = ''"
            " WHERE id = '{open}'"
        ),
        {"hold_has_an_open_cause", "entry_has_its_cause", "settlement_holds_what_its_transfers_take"},
    ),
    "18b a settlement completes without executing": (
        "UPDATE settlement SET state = 'completed', reason = NULL, due_at = NULL, finalized_at = now() WHERE id = '{failed}'",
        {"completed_settlement_executed_once", "executed_settlement_posts_its_transfers"},
    ),
    "19 an externalId is used twice": (
        (
            "ALTER TABLE settlement DROP CONSTRAINT settlement_external_id_key;"
            " UPDATE settlement SET external_id = 'same' WHERE id IN ('{open}', '{failed}')"
        ),
        {"external_id_names_one_settlement"},
    ),
    "20 a settlement is deleted": (
        "DELETE FROM settlement WHERE id = '{executed}'",
        {"entry_has_its_cause", "party_is_of_its_settlement", "transfer_is_of_its_connection"},
    ),
    "21 a party is deleted": (
        "DELETE FROM settlement_party WHERE settlement_id = '{open}' AND connection_id = '{bob}'",
        {"transfer_has_its_party"},
    ),
    "21b a party is of another partner": (
        "UPDATE settlement_party SET partner_id = '{ann}' WHERE settlement_id = '{open}'",
        {"party_is_of_its_settlement"},
    ),
    # Transfers.
    "22b a transfer that takes is deleted": (
        "DELETE FROM settlement_transfer WHERE settlement_id = '{open}' AND connection_id = '{ann}'",
        {"settlement_holds_what_its_transfers_take", "settlement_entry_holds_its_liability"},
    ),
    "23 a loss is added to an open settlement and not held": (
        (
            "INSERT INTO settlement_transfer (id, partner_id, settlement_id, connection_id, network_account_id, currency,"
            " quantity, created_at) SELECT gen_random_uuid(), partner_id, settlement_id, connection_id,"
            " network_account_id, currency, -5, created_at FROM settlement_transfer"
            " WHERE settlement_id = '{open}' AND connection_id = '{ann}'"
        ),
        {"settlement_holds_what_its_transfers_take", "settlement_entry_holds_its_liability"},
    ),
    "23b a transfer is added to an immediate settlement": (
        (
            "INSERT INTO settlement_transfer (id, partner_id, settlement_id, connection_id, network_account_id, currency,"
            " quantity, created_at) SELECT gen_random_uuid(), partner_id, settlement_id, connection_id,"
            " network_account_id, currency, -5, created_at FROM settlement_transfer WHERE settlement_id = '{immediate}'"
        ),
        {"executed_settlement_posts_its_transfers"},
    ),
    "24 a transfer is on another connection's account": (
        (
            "UPDATE settlement_transfer SET network_account_id ="
            " (SELECT network_account_id FROM connection WHERE id = '{dan}')"
            " WHERE settlement_id = '{open}' AND connection_id = '{bob}' AND quantity > 0"
        ),
        {"transfer_is_of_its_connection"},
    ),
    "24b a waiting transfer of a closure is on another connection's account": (
        (
            f"UPDATE settlement_transfer SET network_account_id = {_AVAILABLE_OF_ANN}"
            " WHERE dispute_closure_id = '{waiting_closure}'"
        ),
        {"transfer_is_of_its_connection"},
    ),
    "25 an executed transfer has another amount": (
        "UPDATE settlement_transfer SET quantity = quantity - 1 WHERE settlement_id = '{executed}'",
        {"executed_settlement_posts_its_transfers"},
    ),
    "26 an executed transfer has another counterparty": (
        (
            "UPDATE settlement_transfer SET counterparty_connection_id = '{ann}', counterparty_account_id ="
            f" {_AVAILABLE_OF_ANN} WHERE settlement_id = '{{executed}}' AND connection_id = '{{bob}}'"
        ),
        {"executed_settlement_posts_its_transfers"},
    ),
    "26b an open transfer has a counterparty that is no party": (
        (
            "UPDATE settlement_transfer SET counterparty_connection_id = '{cid}', counterparty_account_id ="
            " (SELECT network_account_id FROM connection WHERE id = '{cid}')"
            " WHERE settlement_id = '{open}' AND connection_id = '{bob}'"
        ),
        {"transfer_has_its_party", "transfer_is_of_its_connection"},
    ),
    "27 a closure's transfer joins another settlement": (
        "UPDATE settlement_transfer SET settlement_id = '{open}' WHERE dispute_closure_id = '{waiting_closure}'",
        {"closure_is_assigned_as_its_dispute"},
    ),
    # Allocations and approvals.
    "28 a reserved allocation is cleared": (
        "UPDATE allocation SET status = 'cleared' WHERE id = '{reserved}'",
        {"hold_has_an_open_cause", "entry_has_its_cause"},
    ),
    "29 a reserved allocation has another amount": (
        "UPDATE allocation SET quantity = quantity - 1 WHERE id = '{reserved}'",
        {"reserved_allocation_is_held", "allocation_moves_what_it_says"},
    ),
    "30 a cleared deallocation has another amount": (
        "UPDATE allocation SET quantity = quantity - 1 WHERE id = '{deallocated}'",
        {"allocation_moves_what_it_says"},
    ),
    "30b an allocation is of another connection": (
        "UPDATE allocation SET connection_id = '{slow}' WHERE id = '{deallocated}'",
        {"allocation_moves_what_it_says", "record_names_its_partner"},
    ),
    "31 an allocation is deleted": (
        "DELETE FROM allocation WHERE id = '{deallocated}'",
        {"entry_has_its_cause", "allocation_moves_what_it_says"},
    ),
    "32 an allocation is retriable without an open call": (
        "UPDATE allocation SET retriable = true WHERE id = '{reserved}'",
        {"retriable_allocation_is_asked"},
    ),
    "32b an allocation names an approval that is not there": (
        "UPDATE allocation SET evaluation_id = '{open}', pending_approval_id = '{open}' WHERE id = '{reserved}'",
        {"approval_is_as_its_allocation"},
    ),
    # Closures.
    "33 a closure says other amounts than its transfers": (
        "UPDATE dispute_closure SET adjusted_transfers = '{{\"ofcbtc\": \"-14\"}}' WHERE id = '{taken_closure}'",
        {"closure_adjusts_as_it_says"},
    ),
    "33b a client's closure says other amounts": (
        "UPDATE dispute_closure SET adjusted_transfers = '[]' WHERE id = '{waiting_closure}'",
        {"closure_adjusts_as_it_says"},
    ),
    "33c a closure's transfers are deleted": (
        "DELETE FROM settlement_transfer WHERE dispute_closure_id = '{waiting_closure}'",
        {"closure_adjusts_as_it_says", "dispute_holds_what_its_transfers_take"},
    ),
    "33d an approved closure is rejected": (
        "UPDATE dispute_closure SET status = 'rejected' WHERE id = '{taken_closure}'",
        {"closure_is_assigned_as_its_dispute", "closure_adjusts_as_it_says"},
    ),
    "34 a settled dispute names no settlement": (
        "UPDATE dispute SET settled_in_settlement_id = NULL WHERE id = '{taken_dispute}'",
        {"closure_is_assigned_as_its_dispute"},
    ),
    "35 a cancelled closure is not cancelled": (
        "UPDATE dispute_closure SET cancelled_at = NULL WHERE id = '{cancelled_closure}'",
        {"entry_has_its_cause", "settlement_holds_what_its_transfers_take"},
    ),
    # Owners.
    "38 a settlement is of another partner": (
        "UPDATE settlement SET partner_id = (SELECT partner_id FROM connection WHERE id = '{slow}') WHERE id = '{open}'",
        {"record_names_its_partner", "party_is_of_its_settlement", "transfer_is_of_its_connection"},
    ),
    "39 a dispute is of another partner": (
        "UPDATE dispute SET partner_id = '{ann}' WHERE id = '{standing_dispute}'",
        {"record_names_its_partner"},
    ),
    "39b a connection has another account": (
        f"UPDATE connection SET network_account_id = {_GO_OF_ANN} WHERE id = '{{ann}}'",
        {"transfer_is_of_its_connection", "record_names_its_partner", "allocation_moves_what_it_says"},
    ),
    "39c a client has another Go Account": (
        f"UPDATE client SET go_account_id = {_GO_OF_EXCHANGE} WHERE go_account_id = {_GO_OF_ANN}",
        {"allocation_moves_what_it_says"},
    ),
    "39d a partner has another Go Account": (
        f"UPDATE partner SET go_account_id = {_GO_OF_ANN} WHERE id = '{{exchange}}'",
        {"entry_moves_what_its_kind_may"},
    ),
    # Custody.
    "40 a deposit has another amount": (
        "UPDATE custody_movement SET quantity = quantity + 1",
        {"custody_movement_is_its_entry", "accounts_hold_what_came_in"},
    ),
    "40b a deposit is deleted": (
        "DELETE FROM custody_movement",
        {"custody_movement_is_its_entry", "entry_has_its_cause"},
    ),
    "40c a deposit is on another account": (
        (
            f"UPDATE custody_movement SET account_id = {_GO_OF_EXCHANGE}, reference = 'x' WHERE account_id = {_GO_OF_ANN}"
            " AND quantity = 5000"
        ),
        {"custody_movement_is_its_entry"},
    ),
    "43 a proposed withdrawal asks for another amount": (
        "UPDATE proposal SET request = request || '{{\"quantity\": \"11\"}}' WHERE id = '{proposal}'",
        {"proposed_withdrawal_is_held", "proposed_withdrawal_moves_what_it_says"},
    ),
    "43c a top-up is larger than what moved": (
        "UPDATE top_up SET quantity = 4 WHERE settlement_id = '{topped_up}'",
        {"top_up_moves_what_it_says"},
    ),
    "43d a top-up's instruction allows less": (
        "UPDATE standing_top_up SET per_settlement = 4 WHERE id = '{instruction}'",
        {"top_up_is_as_instructed"},
    ),
    "43e a top-up comes by an instruction that was revoked before": (
        (
            "UPDATE standing_top_up SET revoked_by = 'x', revoked_at = created_at - interval '1 second'"
            " WHERE id = '{instruction}'"
        ),
        {"top_up_is_as_instructed"},
    ),
    "43f a top-up is deleted": (
        "DELETE FROM top_up",
        {"entry_has_its_cause", "top_up_moves_what_it_says"},
    ),
    "43b a settlement's event is for more clients than it has": (
        (
            "INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at, clients)"
            " VALUES (gen_random_uuid(), 'exchange', 'settlement.completed', '{executed}', '{{}}', now(), 7)"
        ),
        {"settlement_event_is_for_its_clients"},
    ),
}
"""Each is refused or named: as the application's role, and named with triggers off."""

UNSEEN: Final[dict[str, str]] = {
    "22 a transfer that only gains is deleted from an open settlement": (
        "DELETE FROM settlement_transfer WHERE settlement_id = '{open}' AND connection_id = '{bob}'"
        " AND dispute_closure_id IS NULL"
    ),
    "36 a settlement has the digest of another request": (
        "UPDATE settlement SET request_sha256 = '\\x00' WHERE id = '{open}'"
    ),
    "37 all deadlines of a settlement move": (
        "UPDATE settlement SET dispute_deadline_at = dispute_deadline_at + interval '1 day', due_at = due_at"
        " + interval '1 day', top_up_deadline_at = top_up_deadline_at + interval '1 day' WHERE id = '{open}';"
        " UPDATE settlement_party SET dispute_deadline_at = dispute_deadline_at + interval '1 day'"
        " WHERE settlement_id = '{open}'"
    ),
    "41 a nonce is deleted": "DELETE FROM nonce WHERE record_id = '{open}'",
    "42 an event is deleted": "DELETE FROM event WHERE subject_id = '{open}'",
    "44 a Go Account is given to another enterprise": (
        f"UPDATE go_account SET enterprise_id = 'bob', is_default = false WHERE account_id = {_GO_OF_ANN}"
    ),
}
"""Only a seal outside the database can see these. The application's role is refused most of them."""
