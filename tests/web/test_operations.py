"""That the page of operations and tests is whole and true."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.edge.test_openapi import BUILT
from tests.operations import PAGE, SHOWN_BY, page, shown_in

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.operations"


def test_every_operation_has_a_test_that_exists() -> None:
    assert sorted(SHOWN_BY) == BUILT
    for test in SHOWN_BY.values():
        path, _, name = test.partition("[")[0].partition("::")
        functions = [node.name for node in ast.parse((ROOT / path).read_text()).body if hasattr(node, "name")]
        assert name in functions, test


def test_what_a_test_must_show_is_found_with_and_without_its_parameters() -> None:
    assert shown_in("tests/settlements/test_signing.py::test_what_the_helper_gives_is_what_to_sign[get]") == {
        "v1PartnerSettlementSigningGetRoute"
    }
    assert shown_in("tests/disputes/test_closing.py::test_a_client_that_was_wrong_pays_what_was_settled") == {
        "V1ClientSettlementDisputeClosurePostRoute"
    }
    assert shown_in("tests/nowhere.py::test_nothing") == set()
