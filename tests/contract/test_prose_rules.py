"""The rules that the wire's owner states in prose only, row by row, and the tests that hold each of them.

The schemas of the contract do not show these rules, so that validation cannot hold them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]

RULES: Final[dict[str, tuple[str, ...]]] = {
    "supportedCurrencies: the domain is always bitgo-network": (
        "network/test_clients_and_partners.py::test_supported_currencies_are_given_per_partner",
    ),
    "allocations: 502 while the partner failed or was late; the same request again continues": (
        (
            "partner_calls/test_allocation_requests.py::"
            "test_funds_stay_held_without_an_answer_until_the_same_request_asks_again"
        ),
        "partner_calls/test_allocation_requests.py::test_answer_that_does_not_accept_this_question_moves_nothing",
    ),
    "allocations: 500 while our own step is pending": (
        "partner_calls/test_concurrency.py::test_repeat_while_another_request_asks_gets_500_and_the_record",
    ),
    "allocations: the payload's fields, of which the published SDK leaves enterpriseId out": (
        "allocations/test_allocations.py::test_payload_may_name_the_enterprise_and_the_connection",
        "sdk/test_published_sdk.py::test_published_sdk_works_unmodified",
    ),
    "partners: isLicensedForPartner": (
        "network/test_partner_licences.py::test_each_partner_says_whether_the_caller_may_use_it",
        (
            "network/test_partner_licences.py::"
            "test_without_it_new_connections_and_allocations_are_403_and_the_rest_goes_on"
        ),
    ),
    "lists of allocations: order, filters, comma-separated text, inclusive times": (
        "allocations/test_allocations.py::test_lists_are_filtered_sorted_and_paged",
        (
            "allocations/test_allocations.py::"
            "test_equal_values_are_listed_by_creation_and_then_by_id_in_the_direction_of_the_list"
        ),
    ),
    "allocation record: reason only while not cleared": (
        (
            "partner_calls/test_allocation_requests.py::"
            "test_funds_stay_held_without_an_answer_until_the_same_request_asks_again"
        ),
        "partner_calls/test_partner_decisions.py::test_cleared_decision_moves_the_funds_once",
    ),
    "allocation record: notes for both sides": (
        "allocations/test_allocations.py::test_notes_are_visible_to_both_sides",
    ),
    "allocation record: policyResult after an evaluation, pendingApprovalId where one waits": (
        "approvals/test_allocations.py::test_allocation_above_the_threshold_is_held_and_waits",
        "approvals/test_allocations.py::test_allocation_without_need_of_approval_clears_at_once",
    ),
    "PUT partners/allocations and deallocations: the payload, and rejectReason": (
        "partner_calls/test_partner_decisions.py::test_cleared_decision_moves_the_funds_once",
        "partner_calls/test_partner_decisions.py::test_released_decision_returns_the_funds_and_is_final",
        "partner_calls/test_partner_decisions.py::test_decision_that_differs_from_the_allocation_is_refused",
    ),
    "PUT dispute: disputeId and settlementId in the payload; what reason becomes": (
        (
            "settlements/disputes/test_signatures.py::"
            "test_payload_of_an_update_and_of_a_closure_may_name_the_dispute_and_its_settlement"
        ),
    ),
    "POST dispute close: the payload; a right dispute is closed by an administrator": (
        (
            "settlements/disputes/test_signatures.py::"
            "test_payload_of_an_update_and_of_a_closure_may_name_the_dispute_and_its_settlement"
        ),
        "settlements/disputes/test_closures.py::test_client_that_gives_up_its_dispute_pays",
        "settlements/disputes/test_closures.py::test_empty_adjustment_moves_nothing_and_is_settled",
    ),
    "lists of disputes: closed, showRetracted, settlement ids and externalIds": (
        "settlements/disputes/test_views.py::test_filters_of_the_clients_list",
        "settlements/disputes/test_views.py::test_filters_of_the_partners_list",
    ),
    "lists of settlements: onlyShowDisputed, exclusive and inclusive times, pages from 0": (
        "settlements/test_views.py::test_filters_of_the_partners_list",
        "settlements/test_views.py::test_every_filter_of_the_clients_settlements",
    ),
    "settlement transfers: settlementId while assigned, txIds, masks, updated filters": (
        "settlements/disputes/test_closures.py::test_client_that_gives_up_its_dispute_pays",
        "settlements/onchain/test_execution.py::test_partner_and_client_see_the_same_transactions",
        "settlements/test_client_transfers.py::test_other_parties_are_not_named",
        "settlements/test_client_transfers.py::test_filters_of_the_transfers",
    ),
    "connections: an inactive one takes no allocations and still gives funds back": (
        "allocations/test_allocations.py::test_inactive_party_stops_allocations_but_not_deallocations",
    ),
    "connections: the partner's ids are null until it has given them": (
        "partner_calls/test_new_connections.py::test_partner_is_asked_and_its_ids_are_stored",
        "partner_calls/test_new_connections.py::test_invalid_answer_leaves_the_connection_unconfirmed",
    ),
    "connections: proof": (
        "network/test_connection_keys.py::test_the_proof_of_a_connection_is_the_signature_of_its_request",
    ),
    "partners: policies are off by default, null windows mean none, no publicKey": (
        "network/test_clients_and_partners.py::test_null_windows_mean_none_and_policies_are_off_by_default",
        "network/test_connection_keys.py::test_partner_without_a_public_key_accepts_only_clear_keys",
    ),
    "partner balances: base units, the partner's names, its own account and every connection's": (
        "network/test_balances.py::test_a_partner_reads_its_clients_funds_in_its_own_names_and_base_units",
    ),
    "settlement status: failed is not terminal, rejected is set by an administrator": (
        "settlements/test_execution.py::test_unfunded_settlement_fails_with_all_shortfalls_and_completes_after_a_deposit",
        "settlements/test_execution.py::test_rejection_releases_everything_held",
    ),
    "v1 settlement: only for partners without disputes; 401 has the settlement": (
        "settlements/test_immediate.py::test_each_version_refuses_partners_of_the_other",
        "settlements/test_immediate.py::test_all_shortfalls_are_named_and_nothing_moves",
    ),
    "v2 settlement: 200 only with pending; 401 has an error only": (
        "settlements/test_idempotency.py::test_repeat_retries_a_failed_settlement_until_it_completes",
        "settlements/test_order_of_checks.py::test_each_single_defect_has_its_error",
    ),
    "on chain: flat amounts in base units, a deposit at least, settlementId may be left out": (
        "settlements/onchain/test_initiation.py::test_amount_that_is_not_base_units_is_refused",
        "settlements/onchain/test_deposits.py::test_invalid_deposits_are_refused",
        "settlements/onchain/test_deposits.py::test_deposits_before_the_settlement_reserve_its_id",
    ),
    "partner's own endpoints: the state of one allocation resolves an answer that was lost": (
        "partner_calls/test_allocation_state.py::test_lost_answer_is_resolved_by_the_state",
    ),
}
"""The tests that hold each rule, as file and name under ``tests``."""


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_tests_that_exist(rule: str) -> None:
    assert RULES[rule]
    for named in RULES[rule]:
        path, _, name = named.partition("::")
        text = (TESTS / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), named
