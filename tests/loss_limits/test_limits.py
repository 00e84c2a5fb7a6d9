"""A client's own limits of loss over HTTP, and the settlements that they stop. Protocol §5."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import uuid4

import httpx2
import pytest

from tests.support.chains import PATH as ONCHAIN
from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, dispute, stage, try_settle, try_stage

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    partner = testbed.network.partner(deposits={"ofcbtc": 10_000}, onchainEnabled=True)
    return testbed.network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000})


def text(quantity: int | None) -> str | None:
    return None if quantity is None else str(quantity)


def put(connection: ConnectionHandle, limits: Mapping[str, tuple[int | None, int | None]]) -> httpx2.Response:
    wanted = {name: {"perSettlement": text(each), "perDay": text(day)} for name, (each, day) in limits.items()}
    return connection.client.api.put(f"{connection.path}/loss-limits", {"lossLimits": wanted})


def limits_of(connection: ConnectionHandle) -> Json:
    found: Json = ok(connection.client.api.get(f"{connection.path}/loss-limits"))["lossLimits"]
    return found


def lose(connection: ConnectionHandle, amount: int, currency: str = "BTC") -> httpx2.Response:
    return try_stage(connection.partner, {connection.id: {currency: str(-amount)}})


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["name"]


def test_limit_per_settlement_stops_what_is_beyond_it(testbed: Testbed, connection: ConnectionHandle) -> None:
    ok(put(connection, {"btc": (10, None)}))
    with nothing_written(testbed.runtime):
        refused = lose(connection, 11)
    assert refusal(refused) == (422, "loss_limit_exceeded")
    assert refused.json()["details"] == {
        "losses": [{"connectionId": connection.id, "currency": "ofcbtc"}],
        "lossCount": 1,
    }
    assert "10" not in refused.json()["error"].replace(connection.id, "")
    ok(lose(connection, 10))
    ok(lose(connection, 10))
    ok(lose(connection, 900, "ETH"))
    ok(try_stage(connection.partner, {connection.id: {"BTC": "999"}}))


def test_limit_per_day_counts_all_settlements_of_the_utc_day(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    ok(lose(connection, 7))
    ok(put(connection, {"ofcbtc": (None, 10)}))
    assert refusal(lose(connection, 4)) == (422, "loss_limit_exceeded")
    ok(lose(connection, 3))
    assert refusal(lose(connection, 1)) == (422, "loss_limit_exceeded")
    # A gain is none of it, and does not help.
    ok(try_stage(connection.partner, {connection.id: {"BTC": "5"}}))
    assert refusal(lose(connection, 1)) == (422, "loss_limit_exceeded")
    testbed.clock.advance(minutes=12 * 60 - 1)
    assert refusal(lose(connection, 1)) == (422, "loss_limit_exceeded")
    testbed.clock.advance(minutes=1)
    ok(lose(connection, 10))


def test_rejected_settlement_does_not_count(testbed: Testbed, connection: ConnectionHandle) -> None:
    ok(put(connection, {"ofcbtc": (None, 10)}))
    first = ok(lose(connection, 10))["settlement"]
    assert lose(connection, 1).status_code == 422
    ok(testbed.operator.post(f"/settlements/{first['id']}/reject", {"reason": "a wrong file"}))
    ok(lose(connection, 10))


def test_zero_allows_no_loss_and_null_any(connection: ConnectionHandle) -> None:
    body = {"lossLimits": {"ofcbtc": {"perSettlement": "0", "perDay": None}}}
    ok(connection.client.api.put(f"{connection.path}/loss-limits", body))
    assert refusal(lose(connection, 1)) == (422, "loss_limit_exceeded")


def test_version_1_and_the_chain_are_limited_too(testbed: Testbed, connection: ConnectionHandle) -> None:
    desk = testbed.network.partner("desk", dispute_window=None)
    at_once_connection = testbed.network.connect(connection.client, desk)
    testbed.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 100)
    ok(at_once_connection.allocate("ofcbtc", 100))
    for one in (connection, at_once_connection):
        ok(put(one, {"ofcbtc": (10, 15)}))

    def initiate(amount: int) -> httpx2.Response:
        fields = {"externalId": uuid4().hex, "settlementAmounts": {connection.id: {"BTC": str(-amount)}}}
        return connection.partner.api.post(ONCHAIN, connection.partner.enterprise.sign(fields))

    def settle(amount: int) -> httpx2.Response:
        return try_settle(desk, {at_once_connection.id: {"BTC": str(-amount)}})

    for send, accepted in ((initiate, 202), (settle, 200)):
        assert refusal(send(11)) == (403, "loss_limit_exceeded")
        assert send(10).status_code == accepted
        assert refusal(send(6)) == (403, "loss_limit_exceeded")
        assert send(5).status_code == accepted


def test_adjusted_transfers_of_a_closure_do_not_count(testbed: Testbed, connection: ConnectionHandle) -> None:
    staged = stage(connection.partner, {connection.id: {"BTC": "-50"}})
    raised = ok(dispute(connection, staged["id"]))["dispute"]
    testbed.pass_minutes(11)
    closing = {"adjustedTransfers": {"ofcbtc": "-40"}, "notes": "forty of them"}
    closure = ok(testbed.operator.post(f"/disputes/{raised['id']}/close", closing))["disputeClosure"]
    with testbed.operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved", "notes": "right"}))
    ok(put(connection, {"ofcbtc": (10, 60)}))
    taking = ok(lose(connection, 10))["settlement"]
    assert [one["id"] for one in taking["settlingDisputes"]] == [raised["id"]]
    testbed.pass_minutes(11)
    testbed.pass_minutes(11)
    assert connection.balances()["ofcbtc"] == (950, 0)


def test_settlements_at_the_same_instant_do_not_pass_together(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    ok(put(connection, {"ofcbtc": (None, 10)}))
    answers = at_once([partial(lose, connection, 6)] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    testbed.assert_proven()


def test_higher_limit_applies_after_a_day_and_the_enterprise_learns_of_it_at_once(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    ok(put(connection, {"ofcbtc": (10, 100)}))
    raised = ok(put(connection, {"ofcbtc": (50, None)}))["lossLimits"]["ofcbtc"]
    assert raised == {
        "perSettlement": "10",
        "perDay": "100",
        "next": {"perSettlement": "50", "perDay": None, "from": "2026-01-06T12:00:00.000Z"},
    }
    assert lose(connection, 50).status_code == 422
    (event, first) = testbed.operator.events(subjectId=connection.id, types="loss_limit.changed")
    assert (event["enterpriseId"], first["enterpriseId"]) == ("trader", "trader")
    assert event["payload"]["nextFrom"] == "2026-01-06T12:00:00.000Z"
    testbed.clock.advance(minutes=24 * 60)
    assert limits_of(connection) == {"ofcbtc": {"perSettlement": "50", "perDay": None}}
    ok(lose(connection, 50))


def test_unchanged_limits_write_nothing(testbed: Testbed, connection: ConnectionHandle) -> None:
    ok(put(connection, {"ofcbtc": (10, 100)}))
    with nothing_written(testbed.runtime):
        ok(put(connection, {"ofcbtc": (10, 100)}))


def test_limits_are_for_their_client_alone(testbed: Testbed, connection: ConnectionHandle) -> None:
    ok(put(connection, {"ofcbtc": (10, 100)}))
    other = testbed.network.client("other")
    for path in (f"{connection.path}/loss-limits", f"/clients/connections/{NOBODY}/loss-limits"):
        answers = (
            other.api.get(path),
            other.api.put(path, {"lossLimits": {"btc": {"perSettlement": "1", "perDay": None}}}),
        )
        assert {refusal(answer) for answer in answers} == {(404, "connection_unknown")}
    partner = connection.partner.api
    shown = partner.get(f"/partners/connections/{connection.id}").text
    assert "limit" not in shown.lower()
    assert limits_of(connection) == {"ofcbtc": {"perSettlement": "10", "perDay": "100"}}


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"nothing": {"perSettlement": "1", "perDay": "1"}},
        {"btc": {"perSettlement": "1", "perDay": "1"}, "ofcbtc": {"perSettlement": "1", "perDay": "1"}},
        {"btc": {"perSettlement": "1"}},
        {"btc": {"perSettlement": "-1", "perDay": "1"}},
        {"btc": {"perSettlement": "01", "perDay": "1"}},
        {"btc": {"perSettlement": "1.5", "perDay": "1"}},
        {"btc": {"perSettlement": 1, "perDay": "1"}},
        {"btc": {"perSettlement": "9" * 79, "perDay": "1"}},
        {"btc": "1"},
    ],
)
def test_wrong_limits_are_refused(testbed: Testbed, connection: ConnectionHandle, limits: Json) -> None:
    with nothing_written(testbed.runtime):
        answer = connection.client.api.put(f"{connection.path}/loss-limits", {"lossLimits": limits})
    assert answer.status_code == 400


def test_both_sides_of_a_brokers_trade_are_limited(testbed: Testbed) -> None:
    broker = testbed.network.partner("broker", broker=True)
    loses, gains = (testbed.network.funded(broker, {"ofcbtc": 100}, name=name) for name in ("ann", "bob"))
    ok(put(loses, {"ofcbtc": (5, None)}))
    ok(put(gains, {"ofcbtc": (0, None)}))
    nested = {loses.id: {gains.id: {"BTC": "6"}}}
    refused = try_stage(broker, nested)
    assert refused.json()["details"]["losses"] == [{"connectionId": loses.id, "currency": "ofcbtc"}]
    ok(try_stage(broker, {loses.id: {gains.id: {"BTC": "5"}}}))
