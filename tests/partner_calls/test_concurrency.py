"""Concurrent attempts to continue one allocation: one answer is carried out, and the funds move once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Event

import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, Seen, agreeing, refusing, silent
from tests.support.races import at_once
from tests.support.settlements import Testbed


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner) -> ConnectionHandle:
    partner = testbed.network.partner(callbackUrl=partner_server.url)
    return testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 100}), partner)


def test_concurrent_repeats_of_client_and_worker_carry_out_one_answer(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    turns = count()

    def undecided(seen: Seen) -> Reaction:
        return agreeing(seen) if next(turns) % 2 else refusing()(seen)

    for quantity in (1, 2, 3):
        before = connection.go_balances()["ofcbtc"][0]
        partner_server.behave = silent
        body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
        path = f"{connection.path}/allocations"
        assert connection.client.api.post(path, body).status_code == 502
        partner_server.behave = undecided
        asked = len(partner_server.asked("/allocations"))
        testbed.clock.advance(minutes=5)
        calls: list[Callable[[], object]] = [partial(connection.client.api.post, path, body) for _ in range(4)]
        at_once([*calls, testbed.run_due, testbed.run_due])
        record = connection.client.api.post(path, body).json()["allocation"]
        assert record["status"] in ("cleared", "released")
        assert len(partner_server.asked("/allocations")) == asked + 1
        spent = quantity if record["status"] == "cleared" else 0
        assert connection.go_balances()["ofcbtc"] == (before - spent, 0)
        testbed.assert_proven()
        testbed.pass_minutes(60)
        word = {"cleared": "clear", "released": "release"}[record["status"]]
        notices = {call.path for call in partner_server.seen if record["id"] in call.path}
        assert notices == {f"/bitgo/v1/allocation/{record['id']}/{word}"}


def test_identical_concurrent_requests_ask_once_and_move_once(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    send = partial(connection.client.api.post, f"{connection.path}/allocations", body)
    answers = at_once([send] * 12)
    # A request during the call gets 500: another request is asking the partner.
    assert {answer.status_code for answer in answers} <= {200, 500}
    assert ok(send())["allocation"]["status"] == "cleared"
    assert len({answer.json()["allocation"]["id"] for answer in answers}) == 1
    assert len(partner_server.asked("/allocations")) == 1
    assert (connection.go_balances(), connection.balances()) == ({"ofcbtc": (70, 0)}, {"ofcbtc": (30, 0)})
    testbed.assert_proven()


def test_repeat_while_another_request_asks_gets_500_and_the_record(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    asked, may_answer = Event(), Event()

    def thinking(seen: Seen) -> Reaction:
        asked.set()
        assert may_answer.wait(90)
        return agreeing(seen)

    partner_server.behave = thinking
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    send = partial(connection.client.api.post, f"{connection.path}/allocations", body)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send)
        assert asked.wait(90)
        second = send()
        may_answer.set()
        done = ok(first.result())["allocation"]
    assert (second.status_code, second.json()["allocation"]["status"]) == (500, "reserved")
    assert (second.json()["allocation"]["id"], second.json()["allocation"]["retriable"]) == (done["id"], True)
    assert ok(send())["allocation"]["status"] == "cleared"
    testbed.assert_proven()
