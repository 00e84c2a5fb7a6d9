"""Several who go on with one allocation at once: one answer is carried out, and funds move once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, Seen, agreeing, refusing, silent
from tests.support.racing import at_once
from tests.support.settling import Floor


@pytest.fixture
def connection(floor: Floor, their_side: FakePartner) -> ConnectionHandle:
    partner = floor.network.partner(callbackUrl=their_side.url)
    return floor.network.connect(floor.network.client(deposits={"ofcbtc": 100}), partner)


def test_repeats_of_the_client_and_the_worker_at_once(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    turns = count()

    def undecided(seen: Seen) -> Reaction:
        return agreeing(seen) if next(turns) % 2 else refusing()(seen)

    for quantity in (1, 2, 3):
        before = connection.go_balances()["ofcbtc"][0]
        their_side.behave = silent
        body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
        path = f"{connection.path}/allocations"
        assert connection.client.api.post(path, body).status_code == 500
        their_side.behave = undecided
        asked = len(their_side.asked("/allocations"))
        floor.clock.advance(minutes=5)
        calls: list[Callable[[], object]] = [partial(connection.client.api.post, path, body) for _ in range(4)]
        at_once([*calls, floor.run_due, floor.run_due])
        record = connection.client.api.post(path, body).json()["allocation"]
        assert record["status"] in ("cleared", "released")
        assert len(their_side.asked("/allocations")) == asked + 1
        spent = quantity if record["status"] == "cleared" else 0
        assert connection.go_balances()["ofcbtc"] == (before - spent, 0)
        floor.assert_proven()
        floor.pass_minutes(60)
        word = {"cleared": "clear", "released": "release"}[record["status"]]
        told = {call.path for call in their_side.seen if record["id"] in call.path}
        assert told == {f"/bitgo/v1/allocation/{record['id']}/{word}"}


def test_twenty_identical_requests_are_one_question_and_one_movement(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    send = partial(connection.client.api.post, f"{connection.path}/allocations", body)
    answers = at_once([send] * 12)
    # One that finds the question under way says that there is no answer yet.
    assert {answer.status_code for answer in answers} <= {200, 500}
    assert ok(send())["allocation"]["status"] == "cleared"
    assert len({answer.json()["allocation"]["id"] for answer in answers}) == 1
    assert len(their_side.asked("/allocations")) == 1
    assert (connection.go_balances(), connection.balances()) == ({"ofcbtc": (70, 0)}, {"ofcbtc": (30, 0)})
    floor.assert_proven()
