"""Allocations of 24 hours that nobody approved come to no more than the daily threshold. Protocol §4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final

import httpx2
import pytest

from clearwindow.approvals import rules
from clearwindow.approvals.models import Exceeded
from clearwindow.core.clock import ManualClock
from tests.support.approvals import decide, refusal, set_thresholds, waiting
from tests.support.networks import ConnectionHandle, Json, Network, NetworkClient, ok
from tests.support.operators import OperatorClient
from tests.support.races import at_once
from tests.support.settlements import Testbed

DAILY: Final = "/clients/daily-approval-thresholds"


def set_daily(api: NetworkClient, thresholds: Mapping[str, object]) -> httpx2.Response:
    given = {name: None if quantity is None else str(quantity) for name, quantity in thresholds.items()}
    return api.put(DAILY, {"thresholds": given})


@pytest.fixture(autouse=True)
def daily(connection: ConnectionHandle) -> int:
    """A daily threshold of 100 ofcbtc."""
    ok(set_daily(connection.client.api, {"ofcbtc": 100}))
    return 100


def allocate(connection: ConnectionHandle, quantity: int, currency: str = "ofcbtc") -> Json:
    made: Json = ok(connection.allocate(currency, quantity))["allocation"]
    return made


def statuses(connection: ConnectionHandle, *quantities: int) -> list[str]:
    return [allocate(connection, quantity)["status"] for quantity in quantities]


@pytest.mark.parametrize(
    ("quantity", "threshold", "day", "daily_threshold", "expected"),
    [
        (5, None, 500, None, None),
        (5, 5, 5, 5, None),
        (6, 5, 6, None, Exceeded(5)),
        (6, 5, 9, 8, Exceeded(5)),
        (5, 5, 9, 8, Exceeded(8, 9)),
        (1, None, 1, 0, Exceeded(0, 1)),
    ],
)
def test_the_threshold_of_one_allocation_is_looked_at_first(
    quantity: int, threshold: int | None, day: int, daily_threshold: int | None, expected: Exceeded | None
) -> None:
    assert rules.exceeded(quantity, threshold, day_quantity=day, daily_threshold=daily_threshold) == expected


def test_many_small_allocations_are_seen(
    connection: ConnectionHandle, anna: NetworkClient, testbed: Testbed
) -> None:
    assert statuses(connection, 40, 40, 20) == ["cleared"] * 3
    held = allocate(connection, 1)
    assert (held["status"], held["retriable"]) == ("reserved", False)
    [pending] = waiting(anna)
    assert (pending["type"], pending["quantity"], pending["dayQuantity"], pending["threshold"]) == (
        "allocation",
        "1",
        "101",
        "100",
    )
    done = ok(decide(anna, pending["id"], "approved"))
    assert done["allocation"]["status"] == "cleared"
    assert done["pendingApproval"]["dayQuantity"] == "101"
    assert connection.balances() == {"ofcbtc": (101, 0)}
    testbed.assert_proven()


def test_what_was_approved_or_released_does_not_count(connection: ConnectionHandle, anna: NetworkClient) -> None:
    assert statuses(connection, 60) == ["cleared"]
    first, second = allocate(connection, 90), allocate(connection, 80)
    ok(decide(anna, first["pendingApprovalId"], "approved"))
    ok(decide(anna, second["pendingApprovalId"], "rejected"))
    assert connection.allocate("ofcbtc", 10_000).status_code == 422
    assert statuses(connection, 40, 1) == ["cleared", "reserved"]


def test_taking_funds_back_does_not_make_room(connection: ConnectionHandle) -> None:
    assert statuses(connection, 100) == ["cleared"]
    ok(connection.deallocate("ofcbtc", 100))
    assert statuses(connection, 1) == ["reserved"]


def test_the_day_has_no_hour_at_which_it_begins_anew(connection: ConnectionHandle, clock: ManualClock) -> None:
    assert statuses(connection, 60) == ["cleared"]
    clock.advance(minutes=13 * 60)
    assert statuses(connection, 40, 1) == ["cleared", "reserved"]
    clock.advance(minutes=11 * 60 - 0.01)
    assert statuses(connection, 1) == ["reserved"]
    clock.advance(minutes=0.01)
    assert statuses(connection, 60, 1) == ["cleared", "reserved"]


def test_each_partner_and_currency_counts_for_itself(
    network: Network, connection: ConnectionHandle, operator: OperatorClient
) -> None:
    operator.deposit(connection.client.enterprise.account.id, "ofceth", 500)
    other = network.connect(connection.client, network.partner("another", allocation_policies=True))
    assert statuses(connection, 100) == ["cleared"]
    assert statuses(other, 100) == ["cleared"]
    assert allocate(connection, 400, "ofceth")["status"] == "cleared"
    assert statuses(connection, 1) == ["reserved"]
    assert statuses(other, 1) == ["reserved"]


def test_connections_to_one_partner_count_together(network: Network, connection: ConnectionHandle) -> None:
    second = network.connect(connection.client, connection.partner, name="second")
    assert statuses(connection, 60) == ["cleared"]
    assert statuses(second, 40, 1) == ["cleared", "reserved"]


def test_a_partner_without_policies_has_no_threshold(network: Network, connection: ConnectionHandle) -> None:
    free = network.connect(connection.client, network.partner("free"))
    assert statuses(free, 100, 100) == ["cleared"] * 2


def test_allocations_at_the_same_instant_do_not_exceed_it(connection: ConnectionHandle, testbed: Testbed) -> None:
    answers = at_once([partial(connection.allocate, "ofcbtc", 30)] * 12)
    found = Counter(ok(answer)["allocation"]["status"] for answer in answers)
    assert found == {"cleared": 3, "reserved": 9}
    testbed.assert_proven()


def test_lower_at_once_and_higher_by_a_second_user(
    connection: ConnectionHandle, anna: NetworkClient, berta: NetworkClient
) -> None:
    assert ok(anna.get(DAILY)) == {"thresholds": {"ofcbtc": "100"}}
    assert ok(set_daily(anna, {"ofcbtc": 50}))["pendingApprovals"] == []
    [pending] = ok(set_daily(anna, {"ofcbtc": None}))["pendingApprovals"]
    assert (pending["type"], pending["threshold"]) == ("daily_threshold", "50")
    assert refusal(decide(anna, pending["id"], "approved")) == (403, "own_approval")
    assert statuses(connection, 51) == ["reserved"]
    ok(decide(berta, pending["id"], "approved"))
    assert ok(anna.get(DAILY)) == {"thresholds": {}}
    assert statuses(connection, 200, 200) == ["cleared"] * 2


def test_changes_of_both_thresholds_wait_side_by_side(connection: ConnectionHandle, anna: NetworkClient) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 10}))
    ok(set_thresholds(anna, {"ofcbtc": 20}))
    ok(set_daily(anna, {"ofcbtc": 200}))
    assert sorted(pending["type"] for pending in waiting(anna)) == ["daily_threshold", "threshold"]
    assert [pending["quantity"] for pending in waiting(anna, types="daily_threshold")] == ["200"]
    assert statuses(connection, 11) == ["reserved"]


def test_a_programs_token_does_not_approve(network: Network, connection: ConnectionHandle) -> None:
    held = allocate(connection, 101)
    program = network.member(connection.client.enterprise.id, user_id="robot", program=True)
    for decision in ("approved", "rejected"):
        refused = decide(program, held["pendingApprovalId"], decision)
        assert refusal(refused) == (403, "token_of_a_program")
