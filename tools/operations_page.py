"""docs/reference/operations.md: the test that shows each operation. Written by ``python -m tools.operations_page``.

While a named test runs, ``conftest`` checks that the operation was really carried out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from clearwindow.web.openapi import operations
from tests.support.descriptions import CONTRACT

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "operations.md"

_ALLOCATIONS: Final = "tests/allocations/test_allocations.py::"
_BALANCES: Final = "tests/network/test_balances.py::"
_CLIENTS_AND_PARTNERS: Final = "tests/network/test_clients_and_partners.py::"
_CONNECTIONS: Final = "tests/network/test_connections.py::"
_PARTNER_DECISIONS: Final = "tests/partner_calls/test_partner_decisions.py::"
_CLOSURES: Final = "tests/settlements/disputes/test_closures.py::"
_RAISING: Final = "tests/settlements/disputes/test_raising.py::"
_DEPOSITS: Final = "tests/settlements/onchain/test_deposits.py::"
_EXECUTION: Final = "tests/settlements/onchain/test_execution.py::"
_CLIENT_TRANSFERS: Final = "tests/settlements/test_client_transfers.py::"
_SETTLEMENTS_EXECUTION: Final = "tests/settlements/test_execution.py::"
_IMMEDIATE: Final = "tests/settlements/test_immediate.py::"
_SIGNING: Final = "tests/settlements/test_signing.py::"
_VIEWS: Final = "tests/settlements/test_views.py::"
_SETTLEMENTS_TRADES_SIGNING: Final = "tests/settlements/trades/test_signing.py::"

SHOWN_BY: Final[dict[str, str]] = {
    "v1ClientsPostRoute": f"{_CLIENTS_AND_PARTNERS}test_an_enterprise_becomes_one_client",
    "v1ClientAllocationsGetRoute": f"{_ALLOCATIONS}test_lists_are_filtered_sorted_and_paged",
    "v1ClientAllocationGetRoute": f"{_ALLOCATIONS}test_insufficient_funds_release_the_record",
    "v1ClientBalancesGetRoute": f"{_BALANCES}test_a_client_reads_its_own_funds_in_our_names",
    "v1ClientConnectionsGetRoute": f"{_CONNECTIONS}test_lists_and_events_show_only_own_connections",
    "v1ClientConnectionsPostRoute": f"{_CONNECTIONS}test_repeat_returns_the_same_connection",
    "v1ClientConnectionGetRoute": f"{_CONNECTIONS}test_connection_has_the_signature_as_proof_and_both_sides_can_read_it",
    "v1ClientConnectionPutRoute": f"{_CONNECTIONS}test_a_connection_is_renamed_stopped_and_restarted",
    "V1ClientAllocationsPostRoute": f"{_ALLOCATIONS}test_funds_are_allocated_and_deallocated",
    "v1ClientAllocationsSigningGetRoute": f"{_ALLOCATIONS}test_signing_helper_returns_the_text_to_sign[allocations]",
    "v1ClientAllocationsSigningPostRoute": f"{_ALLOCATIONS}test_signing_helper_returns_the_text_to_sign[allocations]",
    "V1ClientDeallocationsPostRoute": f"{_ALLOCATIONS}test_funds_are_allocated_and_deallocated",
    "V1ClientDeallocationsSigningGetRoute": f"{_ALLOCATIONS}test_signing_helper_returns_the_text_to_sign[deallocations]",
    "V1ClientDeallocationsSigningPostRoute": f"{_ALLOCATIONS}test_signing_helper_returns_the_text_to_sign[deallocations]",
    "V1ClientConnectionsSigningGetRoute": f"{_CONNECTIONS}test_signing_helper_returns_the_text_to_sign",
    "V1ClientConnectionsSigningPostRoute": f"{_CONNECTIONS}test_signing_helper_returns_the_text_to_sign",
    "listClientSettlementDisputes": f"{_RAISING}test_client_raises_a_dispute_with_its_expected_transfers",
    "v1ClientSettlementsGetRoute": f"{_VIEWS}test_filters_of_the_clients_list",
    "v1ClientSettlementGetRoute": f"{_VIEWS}test_client_sees_only_its_own_part",
    "createClientSettlementDispute": f"{_RAISING}test_client_raises_a_dispute_with_its_expected_transfers",
    "updateClientSettlementDispute": f"{_RAISING}test_retraction_can_be_reversed",
    "V1ClientSettlementDisputeClosurePostRoute": f"{_CLOSURES}test_client_that_gives_up_its_dispute_pays",
    "v1PartnersGetRoute": f"{_CLIENTS_AND_PARTNERS}test_licensed_enterprise_lists_and_filters_all_partners",
    "v1PartnersPostRoute": f"{_CLIENTS_AND_PARTNERS}test_enterprise_becomes_a_partner_only_after_configuration",
    "v1PartnerAllocationsGetRoute": f"{_ALLOCATIONS}test_lists_are_filtered_sorted_and_paged",
    "v1PartnerAllocationGetRoute": f"{_ALLOCATIONS}test_insufficient_funds_release_the_record",
    "v1PartnerBalancesGetRoute": f"{_BALANCES}test_a_partner_reads_its_clients_funds_in_its_own_names_and_base_units",
    "v1PartnerConnectionsGetRoute": f"{_CONNECTIONS}test_lists_and_events_show_only_own_connections",
    "v1PartnerConnectionGetRoute": f"{_CONNECTIONS}test_connection_has_the_signature_as_proof_and_both_sides_can_read_it",
    "v1PartnerAllocationsPutRoute": f"{_PARTNER_DECISIONS}test_cleared_decision_moves_the_funds_once[allocation]",
    "V1PartnerDeallocationsPutRoute": f"{_PARTNER_DECISIONS}test_cleared_decision_moves_the_funds_once[deallocation]",
    "listPartnerSettlementDisputes": f"{_RAISING}test_client_raises_a_dispute_with_its_expected_transfers",
    "v1PartnerSettlementsGetRoute": f"{_VIEWS}test_partner_lists_settlements_newest_first",
    "v1PartnerSettlementSigningGetRoute": f"{_SIGNING}test_signed_text_of_the_helper_is_accepted[get]",
    "v1PartnerSettlementsSigningPostRoute": f"{_SIGNING}test_signed_text_of_the_helper_is_accepted[post]",
    "v1PartnerSettlementGetRoute": f"{_VIEWS}test_partner_sees_all_transfers",
    "v1EnterpriseSupportedCurrenciesRoute": f"{_CLIENTS_AND_PARTNERS}test_supported_currencies_are_given_per_partner",
    "v1ClientSettlementTransfersGetRoute": f"{_CLIENT_TRANSFERS}test_client_lists_its_transfers_last_changed_first",
    "v1PartnerSettlementsPostRoute": f"{_IMMEDIATE}test_losses_and_gains_move_at_once",
    "v1PartnerSettlementsNonReconciledPostRoute": f"{_IMMEDIATE}test_request_may_be_repeated_at_the_other_path",
    "v1PartnerOnChainSettlementPostRoute": f"{_EXECUTION}test_partner_and_clients_are_notified",
    "v1PartnerExtDepositsPostRoute": f"{_DEPOSITS}test_same_deposit_again_is_a_replay",
    "v1PartnerExtDepositsSigningGetRoute": f"{_DEPOSITS}test_signed_text_of_the_helper_is_accepted",
    "v1PartnerTradesSigningGetRoute": f"{_SETTLEMENTS_TRADES_SIGNING}test_text_to_sign_has_exactly_the_given_fields",
    "v2PartnerSettlementsPostRoute": f"{_SETTLEMENTS_EXECUTION}test_settlement_executes_after_its_windows",
}

HEAD: Final = """\
# Operations and their tests

Every operation of the wire contract, and one test that shows it at work over HTTP. That the test exists, and that
the operation is carried out in it, is checked in every run; so is every answer of all other tests, against the
contract and against `/openapi.json`. `make fuzz` sends each of them hundreds of requests more, right ones and wrong
ones.

| operation | method and path | test |
| --- | --- | --- |
"""


def shown_in(test: str) -> set[str]:
    """Returns the operations that a test must carry out, with its parameters or without."""
    return _OPERATIONS_OF.get(test, set()) | _OPERATIONS_OF.get(test.partition("[")[0], set())


def page() -> str:
    contract = json.loads(CONTRACT.read_text(encoding="utf-8"))
    lines = []
    for method, path, operation in operations(contract):
        shown_by = SHOWN_BY[operation["operationId"]]
        lines.append(f"| `{operation['operationId']}` | {method.upper()} {path} | `{shown_by}` |\n")
    return HEAD + "".join(lines)


def _by_test() -> dict[str, set[str]]:
    by_test: dict[str, set[str]] = {}
    for operation_id, test in SHOWN_BY.items():
        by_test.setdefault(test, set()).add(operation_id)
    return by_test


_OPERATIONS_OF: Final = _by_test()

if __name__ == "__main__":
    if "--tests" in sys.argv:
        sys.stdout.write("\n".join(_OPERATIONS_OF))
    else:
        PAGE.write_text(page())
