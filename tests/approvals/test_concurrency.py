"""Concurrent decisions: one is carried out, and the funds move once."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial
from itertools import product

import pytest

from tests.support.approvals import decide, set_thresholds, user, waiting
from tests.support.networks import ConnectionHandle, Network, ok
from tests.support.races import Gate, at_once, in_background
from tests.support.settlements import Testbed

ROUNDS = 6


@pytest.mark.parametrize("decisions", [("approved", "approved"), ("approved", "rejected")])
def test_one_of_two_concurrent_decisions_is_carried_out(
    network: Network, connection: ConnectionHandle, testbed: Testbed, decisions: tuple[str, str]
) -> None:
    users = [user(network, "trader", name) for name in ("anna", "berta", "clara", "dora")]
    ok(set_thresholds(users[0], {"ofcbtc": 0}))
    allocated = 0
    for _ in range(ROUNDS):
        pending = ok(connection.allocate("ofcbtc", 10))["allocation"]["pendingApprovalId"]
        calls = [
            partial(decide, api, pending, decision) for api, decision in zip(users, decisions * 2, strict=True)
        ]
        answers = at_once(calls)
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
        [won] = [answer.json() for answer in answers if answer.status_code == 200]
        approved = won["pendingApproval"]["status"] == "approved"
        assert won["allocation"]["status"] == ("cleared" if approved else "released")
        allocated += 10 if approved else 0
        assert connection.go_balances()["ofcbtc"] == (1000 - allocated, 0)
        assert connection.balances().get("ofcbtc", (0, 0)) == (allocated, 0)
    testbed.assert_proven()


def test_concurrent_repeats_of_a_decision_are_carried_out_once(
    connection: ConnectionHandle, network: Network, testbed: Testbed
) -> None:
    anna = user(network, "trader", "anna")
    ok(set_thresholds(anna, {"ofcbtc": 0}))
    pending = ok(connection.allocate("ofcbtc", 10))["allocation"]["pendingApprovalId"]
    answers = at_once([partial(decide, anna, pending, "approved")] * 20)
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len({ok(answer)["allocation"]["status"] for answer in answers}) == 1
    assert connection.balances() == {"ofcbtc": (10, 0)}
    testbed.assert_proven()


def test_concurrent_allocations_and_decisions_do_not_overspend(
    network: Network, connection: ConnectionHandle, testbed: Testbed
) -> None:
    """Allocations and decisions are sent at the same time."""
    users = [user(network, "trader", name) for name in ("anna", "berta")]
    ok(set_thresholds(users[0], {"ofcbtc": 50}))
    first = [ok(connection.allocate("ofcbtc", 100))["allocation"]["pendingApprovalId"] for _ in range(5)]
    deciding = [
        partial(decide, api, pending, decision)
        for pending, (api, decision) in product(first, zip(users, ("approved", "rejected"), strict=True))
    ]
    allocating = [partial(connection.allocate, "ofcbtc", 100)] * 10
    answers = at_once([*deciding, *allocating])
    assert Counter(answer.status_code for answer in answers[:10]) == {200: 5, 409: 5}
    assert {answer.status_code for answer in answers[10:]} <= {200, 422}
    available, held = connection.go_balances()["ofcbtc"]
    still = len(waiting(users[0]))
    assert held == 100 * still
    assert available + held + connection.balances().get("ofcbtc", (0, 0))[0] == 1000
    assert still == sum(answer.status_code == 200 for answer in answers[10:])
    testbed.assert_proven()


def test_second_decision_waits_for_the_first(
    network: Network, connection: ConnectionHandle, testbed: Testbed
) -> None:
    """The first transaction is held open until the second waits for its lock."""
    anna, berta = (user(network, "trader", name) for name in ("anna", "berta"))
    ok(set_thresholds(anna, {"ofcbtc": 0}))
    pending = ok(connection.allocate("ofcbtc", 10))["allocation"]["pendingApprovalId"]
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        first = threads.enter_context(in_background(partial(decide, anna, pending, "approved")))
        gate.wait_for(1)
        second = threads.enter_context(in_background(partial(decide, berta, pending, "rejected")))
        gate.wait_for(2)
    assert (first.result().status_code, second.result().status_code) == (200, 409)
    assert connection.balances() == {"ofcbtc": (10, 0)}
    testbed.assert_proven()
