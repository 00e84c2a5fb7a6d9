"""How a rehearsal classifies disputes, and which outcomes it reports as problems; without processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clearwindow.client.answers.base import Meta
from clearwindow.client.answers.disputes import Dispute
from clearwindow.simulator.rehearsal.expected_settlements import (
    DisputeResults,
    ExpectedSettlements,
    dispute_results,
)
from clearwindow.simulator.rehearsal.outcome import Outcome

WRONG, RIGHT = ("settlement", "wrong"), ("settlement", "right")
EXPECTED = {"ofcbtc": 5}
EXPECTED_SETTLEMENTS = ExpectedSettlements({}, amounts={WRONG: EXPECTED, RIGHT: EXPECTED}, wrong={WRONG})
AT = "2026-01-05T12:00:00.000Z"


def dispute(
    entry: tuple[str, str],
    *,
    adjusted: Mapping[str, int] | None = None,
    settled_in: str | None = "later",
    status: str = "completed",
    retracted: bool = False,
) -> Dispute:
    fields: dict[str, Any] = {
        "id": "d",
        "createdAt": AT,
        "updatedAt": AT,
        "connectionId": entry[1],
        "disputedSettlementId": entry[0],
        "userId": "u",
        "expectedTransfers": {"ofcbtc": "5"},
        "retracted": retracted,
    }
    if settled_in is not None:
        fields["settledInSettlementId"] = settled_in
    if adjusted is not None:
        transfer = {
            "id": "t",
            "sourceTradingAccountId": "a",
            "destinationTradingAccountId": "b",
            "destinationNetworkAccountId": "c",
            "disputeClosureId": "c",
            "currency": "ofcbtc",
            "quantity": "5",
            "status": status,
            "createdAt": AT,
            "updatedAt": AT,
        }
        fields["disputeClosure"] = {
            "id": "c",
            "closedBy": "admin",
            "userId": "u",
            "notes": "",
            "status": "approved",
            "adjustedTransfers": {name: str(quantity) for name, quantity in adjusted.items()},
            "adjustedSettlementTransfers": [transfer],
            "createdAt": AT,
        }
    return Dispute.read(fields, Meta())


@pytest.mark.parametrize(
    ("disputes", "results"),
    [
        ([], DisputeResults(frozenset({WRONG}), 0, 0, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED)], DisputeResults(frozenset(), 1, 0, 0, 0, 0)),
        ([dispute(WRONG)], DisputeResults(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted={"ofcbtc": 4})], DisputeResults(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED, settled_in=None)], DisputeResults(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED, status="pending")], DisputeResults(frozenset(), 0, 1, 0, 0, 0)),
        # After a retraction the wrong amounts are executed, as without a dispute.
        ([dispute(WRONG, retracted=True)], DisputeResults(frozenset({WRONG}), 0, 1, 0, 0, 0)),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, retracted=True)],
            DisputeResults(frozenset(), 1, 0, 1, 0, 0),
        ),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, adjusted=EXPECTED)],
            DisputeResults(frozenset(), 1, 0, 0, 1, 0),
        ),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, adjusted={})],
            DisputeResults(frozenset(), 1, 0, 0, 0, 1),
        ),
    ],
)
def test_disputes_are_classified_by_the_amounts_of_the_market(
    disputes: list[Dispute], results: DisputeResults
) -> None:
    assert dispute_results(EXPECTED_SETTLEMENTS, disputes) == results


def outcome(**changed: Any) -> Outcome:  # noqa: ANN401 - fields of an outcome
    fields: dict[str, Any] = {
        "seconds": 1,
        "settlements": {"completed": 3},
        "entries": 2,
        "wrong": 1,
        "dispute_results": DisputeResults(frozenset(), 1, 0, 0, 0, 0),
        "exchange_lines": {},
        "trader_lines": [],
        "worker_starts": 1,
        "accounts": 1,
        "account_differences": [],
        "check_ok": True,
        "check_output": "  ok  all",
    }
    return Outcome(**fields | changed)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"dispute_results": DisputeResults(frozenset({WRONG}), 0, 0, 0, 0, 0)},
            "a wrong settlement was not disputed",
        ),
        (
            {"dispute_results": DisputeResults(frozenset(), 0, 2, 0, 0, 0)},
            "2 disputes of wrong amounts were not corrected",
        ),
        (
            {"dispute_results": DisputeResults(frozenset(), 1, 0, 0, 0, 1)},
            "1 disputes of right amounts ended with other amounts",
        ),
        ({"settlements": {"completed": 2, "failed": 1}}, "not every settlement is completed"),
        ({"settlements": {}}, "not every settlement is completed"),
        ({"account_differences": ["exchange-001 has"]}, "exchange-001 has"),
        ({"accounts": 0}, "no exchange reported its accounts"),
        ({"check_ok": False, "check_output": "BROKEN"}, "clearwindow check: BROKEN"),
    ],
)
def test_each_problem_is_reported(changed: dict[str, Any], problem: str) -> None:
    assert outcome().problems == []
    (found,) = outcome(**changed).problems
    assert found.startswith(problem)
