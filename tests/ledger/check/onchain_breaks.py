"""Changes that break an on-chain settlement, and the invariants that must report them."""

from __future__ import annotations

from typing import Final, LiteralString

ONCHAIN_BREAKS: Final[dict[str, tuple[LiteralString, set[str]]]] = {
    "a paid loss is not completed": (
        "UPDATE onchain_transfer SET status = 'onchain_initiated' WHERE side = 'loss' AND status = 'completed'",
        {
            "accounts_hold_what_came_in",
            "onchain_settlement_is_its_transfers",
            "onchain_transfers_moved_what_they_say",
            "onchain_settlement_holds_what_it_still_moves",
        },
    ),
    "an unpaid gain is completed": (
        (
            "UPDATE onchain_transfer SET status = 'completed', payment_id = gen_random_uuid(), tx_id = 'x'"
            " WHERE side = 'gain' AND status = 'pending_onchain'"
        ),
        {"onchain_transfers_moved_what_they_say"},
    ),
    "an on-chain transfer is deleted": (
        "DELETE FROM onchain_transfer WHERE status = 'pending_onchain'",
        {"onchain_settlement_is_its_transfers"},
    ),
    "a settlement transfer and its on-chain transfer have different amounts": (
        "UPDATE settlement_transfer SET quantity = quantity + 1 WHERE quantity = 30",
        {"onchain_settlement_is_its_transfers"},
    ),
    "a settlement completes before its transfers": (
        (
            "UPDATE settlement SET state = 'completed', due_at = NULL, finalized_at = now()"
            " WHERE external_id = 'open'"
        ),
        {"onchain_settlement_is_its_transfers", "hold_has_an_open_cause"},
    ),
    "a settlement is rejected while its loss is on the chain": (
        (
            "UPDATE settlement SET state = 'rejected', due_at = NULL, finalized_at = now(), reason = 'why'"
            " WHERE external_id = 'open'"
        ),
        {
            "onchain_settlement_is_its_transfers",
            "hold_has_an_open_cause",
            "onchain_settlement_holds_what_it_still_moves",
        },
    ),
    "the hold of a loss is deleted": (
        "DELETE FROM hold WHERE cause_kind = 'settlement'",
        {"held_equals_its_holds", "onchain_settlement_holds_what_it_still_moves"},
    ),
    "a deposit has another amount": (
        "UPDATE onchain_deposit SET quantity = quantity + 1 WHERE status = 'confirmed'",
        {"accounts_hold_what_came_in", "onchain_deposit_is_its_entry", "hold_has_an_open_cause"},
    ),
    "a released deposit is still held": (
        "UPDATE onchain_deposit SET status = 'released' WHERE status = 'confirmed'",
        {"onchain_deposit_is_its_entry", "hold_has_an_open_cause"},
    ),
    "a deposit names another entry": (
        "UPDATE onchain_deposit SET entry_id = gen_random_uuid() WHERE status = 'spent'",
        {"onchain_deposit_is_its_entry"},
    ),
    "the chain pays a transfer twice": (
        (
            "INSERT INTO chain_transaction (id, partner_id, kind, tx_id, payment_id, transfer_id, currency,"
            " quantity, state, withheld, confirms_at, created_at, updated_at)"
            " SELECT gen_random_uuid(), partner_id, kind, 'other', gen_random_uuid(), transfer_id, currency,"
            " quantity, state, withheld, confirms_at, created_at, updated_at"
            " FROM chain_transaction WHERE kind = 'payment' AND state = 'confirmed'"
        ),
        {"chain_paid_each_transfer_once"},
    ),
    "the chain pays another amount": (
        "UPDATE chain_transaction SET quantity = quantity + 1 WHERE kind = 'payment' AND state = 'pending'",
        {"chain_paid_each_transfer_once"},
    ),
}
