"""What a rehearsal makes of disputes, and what it does not let pass: decided on values alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clearwindow.client.answers.base import Meta
from clearwindow.client.answers.disputes import Dispute
from clearwindow.sandbox.rehearsal.outcome import Outcome
from clearwindow.sandbox.rehearsal.truth import Mending, Truth, mending

WRONG, RIGHT = ("settlement", "wrong"), ("settlement", "right")
EXPECTED = {"ofcbtc": 5}
TRUTH = Truth({}, expected={WRONG: EXPECTED, RIGHT: EXPECTED}, wrong={WRONG})
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
    ("given", "made"),
    [
        ([], Mending(frozenset({WRONG}), 0, 0, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED)], Mending(frozenset(), 1, 0, 0, 0, 0)),
        ([dispute(WRONG)], Mending(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted={"ofcbtc": 4})], Mending(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED, settled_in=None)], Mending(frozenset(), 0, 1, 0, 0, 0)),
        ([dispute(WRONG, adjusted=EXPECTED, status="pending")], Mending(frozenset(), 0, 1, 0, 0, 0)),
        # Retracted, the wrong amounts have run: that is as if nobody had disputed them.
        ([dispute(WRONG, retracted=True)], Mending(frozenset({WRONG}), 0, 1, 0, 0, 0)),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, retracted=True)],
            Mending(frozenset(), 1, 0, 1, 0, 0),
        ),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, adjusted=EXPECTED)],
            Mending(frozenset(), 1, 0, 0, 1, 0),
        ),
        (
            [dispute(WRONG, adjusted=EXPECTED), dispute(RIGHT, adjusted={})],
            Mending(frozenset(), 1, 0, 0, 0, 1),
        ),
    ],
)
def test_what_became_of_what_was_wrong(given: list[Dispute], made: Mending) -> None:
    assert mending(TRUTH, given) == made


def outcome(**changed: Any) -> Outcome:  # noqa: ANN401 - fields of an outcome
    fields: dict[str, Any] = {
        "seconds": 1,
        "settlements": {"completed": 3},
        "entries": 2,
        "wrong": 1,
        "mending": Mending(frozenset(), 1, 0, 0, 0, 0),
        "exchange_lines": {},
        "trader_lines": [],
        "worker_starts": 1,
        "accounts": 1,
        "accounts_that_differ": [],
        "check_clean": True,
        "check_said": "  ok  all",
    }
    return Outcome(**fields | changed)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"mending": Mending(frozenset({WRONG}), 0, 0, 0, 0, 0)}, "a wrong settlement was not disputed"),
        ({"mending": Mending(frozenset(), 0, 2, 0, 0, 0)}, "2 disputes were not put right"),
        ({"mending": Mending(frozenset(), 1, 0, 0, 0, 1)}, "1 disputes of right settlements ended otherwise"),
        ({"settlements": {"completed": 2, "failed": 1}}, "not every settlement is completed"),
        ({"settlements": {}}, "not every settlement is completed"),
        ({"accounts_that_differ": ["exchange-001 keeps"]}, "exchange-001 keeps"),
        ({"accounts": 0}, "no exchange has said what it keeps"),
        ({"check_clean": False, "check_said": "BROKEN"}, "clearwindow check: BROKEN"),
    ],
)
def test_nothing_that_is_not_as_it_must_be_passes(changed: dict[str, Any], problem: str) -> None:
    assert outcome().problems == []
    (found,) = outcome(**changed).problems
    assert found.startswith(problem)
