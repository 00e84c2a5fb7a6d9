"""docs/operations.md: which test shows each operation at work. ``python -m tests.operations`` writes it anew.

That a named test really has the operation carried out is checked while it runs (``conftest.judged``).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from clearwindow.http.openapi import operations
from tests.support.descriptions import CONTRACT

PAGE: Final = Path(__file__).parent.parent / "docs" / "operations.md"

_ALLOCATING: Final = "tests/allocations/test_allocating.py::"
_CONNECTING: Final = "tests/network/test_connecting.py::"
_PROOF: Final = f"{_CONNECTING}test_a_connection_has_the_signature_as_proof_and_both_sides_see_it"
_PARTNERING: Final = "tests/network/test_partnering.py::"
_BALANCES: Final = "tests/network/test_balances.py::"
_READING: Final = "tests/settlements/test_reading.py::"
_TRANSFERS: Final = "tests/settlements/test_client_transfers.py::"
_ONCHAIN: Final = "tests/onchain/"
_DEPOSITING: Final = "tests/onchain/test_depositing.py::"
_IMMEDIATE: Final = "tests/settlements/test_immediate.py::"
_DECIDING: Final = "tests/partnercalls/test_deciding.py::"
_SIGNING: Final = "tests/settlements/test_signing.py::"
_CLOSING: Final = "tests/disputes/test_closing.py::"
_RAISING: Final = "tests/disputes/test_raising.py::"

SHOWN_BY: Final[dict[str, str]] = {
    "v1ClientsPostRoute": f"{_PARTNERING}test_an_enterprise_becomes_one_client",
    "v1ClientAllocationsGetRoute": f"{_ALLOCATING}test_lists_are_filtered_sorted_and_paged",
    "v1ClientAllocationGetRoute": f"{_ALLOCATING}test_too_little_is_released_and_recorded",
    "v1ClientBalancesGetRoute": f"{_BALANCES}test_a_client_reads_its_own_funds_in_our_names",
    "v1ClientConnectionsGetRoute": f"{_CONNECTING}test_lists_filter_and_events_name_only_the_two_sides",
    "v1ClientConnectionsPostRoute": f"{_CONNECTING}test_a_repeat_gives_the_same_connection",
    "v1ClientConnectionGetRoute": _PROOF,
    "v1ClientConnectionPutRoute": f"{_CONNECTING}test_a_connection_is_renamed_stopped_and_restarted",
    "V1ClientAllocationsPostRoute": f"{_ALLOCATING}test_funds_go_to_the_partner_and_come_back",
    "v1ClientAllocationsSigningGetRoute": f"{_ALLOCATING}test_the_helper_gives_the_text_to_sign[allocations]",
    "v1ClientAllocationsSigningPostRoute": f"{_ALLOCATING}test_the_helper_gives_the_text_to_sign[allocations]",
    "V1ClientDeallocationsPostRoute": f"{_ALLOCATING}test_funds_go_to_the_partner_and_come_back",
    "V1ClientDeallocationsSigningGetRoute": f"{_ALLOCATING}test_the_helper_gives_the_text_to_sign[deallocations]",
    "V1ClientDeallocationsSigningPostRoute": f"{_ALLOCATING}test_the_helper_gives_the_text_to_sign[deallocations]",
    "V1ClientConnectionsSigningGetRoute": f"{_CONNECTING}test_the_helper_gives_the_text_to_sign",
    "V1ClientConnectionsSigningPostRoute": f"{_CONNECTING}test_the_helper_gives_the_text_to_sign",
    "listClientSettlementDisputes": f"{_RAISING}test_a_client_disputes_with_its_own_view",
    "v1ClientSettlementsGetRoute": f"{_READING}test_the_clients_filters",
    "v1ClientSettlementGetRoute": f"{_READING}test_a_client_sees_its_own_part_only",
    "createClientSettlementDispute": f"{_RAISING}test_a_client_disputes_with_its_own_view",
    "updateClientSettlementDispute": f"{_RAISING}test_a_retraction_can_be_taken_back",
    "V1ClientSettlementDisputeClosurePostRoute": f"{_CLOSING}test_a_client_that_was_wrong_pays_what_was_settled",
    "v1PartnersGetRoute": f"{_PARTNERING}test_every_licensed_enterprise_sees_all_partners_and_filters_them",
    "v1PartnersPostRoute": f"{_PARTNERING}test_a_partner_is_made_once_it_is_configured",
    "v1PartnerAllocationsGetRoute": f"{_ALLOCATING}test_lists_are_filtered_sorted_and_paged",
    "v1PartnerAllocationGetRoute": f"{_ALLOCATING}test_too_little_is_released_and_recorded",
    "v1PartnerBalancesGetRoute": f"{_BALANCES}test_a_partner_reads_its_clients_funds_in_its_own_terms",
    "v1PartnerConnectionsGetRoute": f"{_CONNECTING}test_lists_filter_and_events_name_only_the_two_sides",
    "v1PartnerConnectionGetRoute": _PROOF,
    "v1PartnerAllocationsPutRoute": f"{_DECIDING}test_cleared_moves_the_funds_once[allocation]",
    "V1PartnerDeallocationsPutRoute": f"{_DECIDING}test_cleared_moves_the_funds_once[deallocation]",
    "listPartnerSettlementDisputes": f"{_RAISING}test_a_client_disputes_with_its_own_view",
    "v1PartnerSettlementsGetRoute": f"{_READING}test_the_partner_lists_the_newest_first",
    "v1PartnerSettlementSigningGetRoute": f"{_SIGNING}test_what_the_helper_gives_is_what_to_sign[get]",
    "v1PartnerSettlementsSigningPostRoute": f"{_SIGNING}test_what_the_helper_gives_is_what_to_sign[post]",
    "v1PartnerSettlementGetRoute": f"{_READING}test_the_partner_sees_every_transfer",
    "v1EnterpriseSupportedCurrenciesRoute": f"{_PARTNERING}test_supported_currencies_are_given_per_partner",
    "v1ClientSettlementTransfersGetRoute": f"{_TRANSFERS}test_a_client_lists_its_own_the_last_changed_first",
    "v1PartnerSettlementsPostRoute": f"{_IMMEDIATE}test_losses_and_gains_move_at_once",
    "v1PartnerSettlementsNonReconciledPostRoute": f"{_IMMEDIATE}test_the_alias_is_the_same_use_case",
    "v1PartnerOnChainSettlementPostRoute": f"{_ONCHAIN}test_course.py::test_everybody_is_told",
    "v1PartnerExtDepositsPostRoute": f"{_DEPOSITING}test_a_deposit_given_again_is_the_same_deposit",
    "v1PartnerExtDepositsSigningGetRoute": f"{_DEPOSITING}test_the_text_to_sign_is_the_one_that_is_taken",
    "v1PartnerTradesSigningGetRoute": "tests/trades/test_signing.py::test_the_text_is_exactly_what_was_given",
    "v2PartnerSettlementsPostRoute": (
        "tests/settlements/test_course.py::test_a_settlement_moves_what_it_says_after_its_windows"
    ),
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
    """The operations that a test, with its parameters or without, must have carried out."""
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
