"""Settlements of version 1 at the same time as each other, retries and deallocations."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.races import Gate, at_once, in_background
from tests.support.settlements import Testbed, fields_at_once, try_settle

PATH = "/partners/settlements"


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    partner = testbed.network.partner(dispute_window=None)
    return testbed.network.funded(partner, {"ofcbtc": 1_000})


def test_identical_requests_execute_once(testbed: Testbed, connection: ConnectionHandle) -> None:
    partner = connection.partner
    body = partner.enterprise.sign(fields_at_once({connection.id: {"BTC": "-7"}}))
    answers = at_once([partial(partner.api.post, PATH, body)] * 100)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert connection.balances() == {"ofcbtc": (993, 0)}
    testbed.assert_proven()


def test_concurrent_retries_of_a_failed_settlement_execute_once(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    partner = connection.partner
    body = partner.enterprise.sign(fields_at_once({connection.id: {"BTC": "5"}}))
    failed = partner.api.post(PATH, body)
    assert failed.status_code == 401
    retry = partial(testbed.operator.post, f"/settlements/{failed.json()['settlement']['id']}/retry")
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 5)
    answers = at_once([partial(partner.api.post, PATH, body), retry] * 10)
    assert {answer.status_code for answer in answers[::2]} == {200}
    assert Counter(answer.status_code for answer in answers[1::2])[200] <= 1
    assert connection.balances() == {"ofcbtc": (1_005, 0)}
    testbed.assert_proven()


def test_settlements_and_deallocations_never_spend_a_balance_twice(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    calls = []
    for _ in range(15):
        calls.append(partial(try_settle, connection.partner, {connection.id: {"BTC": "-100"}}))
        calls.append(partial(connection.deallocate, "ofcbtc", 100))
    answers = at_once(calls)
    settled = Counter(answer.status_code for answer in answers[::2])
    deallocated = Counter(answer.status_code for answer in answers[1::2])
    assert set(settled) <= {200, 401}
    assert set(deallocated) <= {200, 422}
    assert settled[200] + deallocated[200] == 10
    assert connection.balances() == {"ofcbtc": (0, 0)}
    assert connection.go_balances() == {"ofcbtc": (100 * deallocated[200], 0)}
    assert testbed.operator.balances(connection.partner.enterprise.account.id) == {
        "ofcbtc": (100 * settled[200], 0)
    }
    testbed.assert_proven()


def test_settlement_waits_for_a_deallocation_and_counts_it(testbed: Testbed, connection: ConnectionHandle) -> None:
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, gate.closed("allocation"):
        # The deallocation has locked the balance and waits to be written.
        deallocation = threads.enter_context(in_background(partial(connection.deallocate, "ofcbtc", 999)))
        gate.wait_for(1)
        call = partial(try_settle, connection.partner, {connection.id: {"BTC": "-2"}})
        settlement = threads.enter_context(in_background(call))
        gate.wait_for(2)
    ok(deallocation.result())
    assert settlement.result().status_code == 401
    (gap,) = settlement.result().json()["details"]["shortfalls"]
    assert (gap["available"], gap["shortfall"]) == ("1", "1")
    assert connection.balances() == {"ofcbtc": (1, 0)}
    testbed.assert_proven()


def test_request_is_refused_if_the_partner_gets_a_window_while_it_waits(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    partner, gate = connection.partner, Gate(testbed.runtime)
    window = {"clientDisputeWindowMinutes": 5}
    with ExitStack() as threads, gate.closed("audit_record"):
        threads.enter_context(in_background(partial(testbed.operator.patch, f"/partners/{partner.id}", window)))
        gate.wait_for(1)
        call = partial(try_settle, partner, {connection.id: {"BTC": "-2"}})
        request = threads.enter_context(in_background(call))
        gate.wait_for(2)
    assert (request.result().status_code, request.result().json()["name"]) == (403, "disputes_enabled")
    assert connection.balances() == {"ofcbtc": (1_000, 0)}
    testbed.assert_proven()
