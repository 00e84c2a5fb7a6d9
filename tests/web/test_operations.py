"""The page of operations and their tests is complete and up to date."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.web.test_openapi import BUILT
from tools.operations_page import PAGE, SHOWN_BY, page, shown_in

ROOT = Path(__file__).parent.parent.parent


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.operations_page"


def test_every_operation_has_a_test_that_exists() -> None:
    assert sorted(SHOWN_BY) == BUILT
    for test in SHOWN_BY.values():
        path, _, name = test.partition("[")[0].partition("::")
        functions = [node.name for node in ast.parse((ROOT / path).read_text()).body if hasattr(node, "name")]
        assert name in functions, test


def test_operations_of_a_test_are_found_with_and_without_its_parameters() -> None:
    assert shown_in("tests/settlements/test_signing.py::test_signed_text_of_the_helper_is_accepted[get]") == {
        "v1PartnerSettlementSigningGetRoute"
    }
    assert shown_in("tests/settlements/disputes/test_closures.py::test_client_that_gives_up_its_dispute_pays") == {
        "V1ClientSettlementDisputeClosurePostRoute"
    }
    assert shown_in("tests/nowhere.py::test_nothing") == set()
