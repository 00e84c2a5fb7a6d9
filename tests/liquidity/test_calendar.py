"""When windows end, as a partner and its clients read it. Protocol §5, §10.8."""

from __future__ import annotations

import pytest

from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.settlements import Testbed, close_dispute, dispute, stage

FIRST_ENDS, FIRST_TOPPED_UP = "2026-01-05T12:10:00.000Z", "2026-01-05T12:20:00.000Z"
SECOND_ENDS, SECOND_TOPPED_UP = "2026-01-05T12:15:00.000Z", "2026-01-05T12:25:00.000Z"


class Scenario:
    """Two settlements, five minutes apart. The trader is in both, the other client only in the first."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.partner = testbed.network.partner(deposits={"ofcusd": 7})
        self.trader: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="trader")
        self.other: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="other")
        amounts = {self.trader.id: {"BTC": "-20", "USD": "7"}, self.other.id: {"BTC": "-30"}}
        self.first = stage(self.partner, amounts)
        testbed.clock.advance(minutes=5)
        self.second = stage(self.partner, {self.trader.id: {"BTC": "-1"}})

    def of_partner(self, **filters: object) -> list[Json]:
        return list(ok(self.partner.api.get("/partners/calendar", **filters))["deadlines"])

    def of_client(self, connection: ConnectionHandle) -> list[Json]:
        return list(ok(connection.client.api.get("/clients/calendar"))["deadlines"])


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


def ends(found: list[Json]) -> list[tuple[str, str, str]]:
    return [(one["at"], one["kind"], one["settlementId"]) for one in found]


def test_partner_sees_what_ends_when_and_what_it_does_to_its_account(scenario: Scenario) -> None:
    ok(dispute(scenario.other, scenario.first["id"]))
    found = scenario.of_partner()
    first, second = scenario.first["id"], scenario.second["id"]
    assert ends(found) == [
        (FIRST_ENDS, "dispute_window_ends", first),
        (SECOND_ENDS, "dispute_window_ends", second),
        (FIRST_TOPPED_UP, "top_up_window_ends", first),
        (SECOND_TOPPED_UP, "top_up_window_ends", second),
    ]
    assert found[0] == {
        "at": FIRST_ENDS,
        "kind": "dispute_window_ends",
        "settlementId": first,
        "externalId": scenario.first["externalId"],
        "partnerId": scenario.partner.id,
        "stage": "dispute_window",
        "paused": False,
        "partnerAccount": [{"currency": "ofcbtc", "change": "20"}, {"currency": "ofcusd", "change": "-7"}],
    }


def test_client_sees_its_own_part_alone(scenario: Scenario) -> None:
    found = scenario.of_client(scenario.other)
    first = scenario.first["id"]
    assert ends(found) == [
        (FIRST_ENDS, "dispute_window_ends", first),
        (FIRST_TOPPED_UP, "top_up_window_ends", first),
    ]
    assert "partnerAccount" not in found[0]
    (part,) = found[0]["networkAccounts"]
    assert part == {"connectionId": scenario.other.id, "currency": "ofcbtc", "quantity": "-30", "held": "30"}
    ok(dispute(scenario.other, first))
    assert scenario.of_client(scenario.other)[0]["networkAccounts"][0]["quantity"] == "0"
    of_trader = scenario.of_client(scenario.trader)
    assert [one["quantity"] for one in of_trader[0]["networkAccounts"]] == ["-20", "7"]
    stranger = scenario.testbed.network.client("stranger")
    assert ok(stranger.api.get("/clients/calendar"))["deadlines"] == []
    rival = scenario.testbed.network.partner("rival")
    assert ok(rival.api.get("/partners/calendar"))["deadlines"] == []


def test_range_of_time_and_kinds_select(scenario: Scenario) -> None:
    found = scenario.of_partner(onOrAfter=SECOND_ENDS, before=SECOND_TOPPED_UP)
    assert [one["at"] for one in found] == [SECOND_ENDS, FIRST_TOPPED_UP]
    found = scenario.of_partner(kinds="top_up_window_ends")
    assert [one["at"] for one in found] == [FIRST_TOPPED_UP, SECOND_TOPPED_UP]


def test_deadline_that_has_passed_is_gone(scenario: Scenario) -> None:
    scenario.testbed.pass_minutes(5)
    assert ends(scenario.of_partner())[0] == (SECOND_ENDS, "dispute_window_ends", scenario.second["id"])
    scenario.testbed.pass_minutes(10)
    assert [one["settlementId"] for one in scenario.of_partner()] == [scenario.second["id"]]
    assert len(scenario.of_client(scenario.trader)) == 1
    assert scenario.of_client(scenario.other) == []


def test_paused_settlement_is_marked(scenario: Scenario) -> None:
    pause = {"kind": "client", "id": scenario.other.client.id, "reason": "a drill"}
    ok(scenario.testbed.operator.post("/pauses", pause))
    assert [one["paused"] for one in scenario.of_partner()] == [True, False, True, False]
    assert [one["paused"] for one in scenario.of_client(scenario.trader)] == [True, False, True, False]


def test_closures_of_a_rejected_settlement_have_their_time(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    disputed = stage(partner, {connection.id: {"BTC": "-30"}})
    raised = ok(dispute(connection, disputed["id"]))["dispute"]
    testbed.pass_minutes(20)
    closure = ok(close_dispute(connection, raised["id"]))["disputeClosure"]
    with testbed.operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved"}))
        path = f"/settlements/{stage(partner, {connection.id: {'BTC': '-5'}})['id']}/reject"
        assert testbed.operator.post(path, {"reason": "a mistake"}).status_code == 202
        ok(second.post(path, {"reason": "seen"}))
    (found,) = ok(partner.api.get("/partners/calendar"))["deadlines"]
    assert (found["kind"], found["at"], found["stage"]) == ("closures_run", "2026-01-05T12:40:00.000Z", "rejected")
    assert found["partnerAccount"] == [{"currency": "ofcbtc", "change": "30"}]
    (own,) = ok(connection.client.api.get("/clients/calendar"))["deadlines"]
    assert [one["quantity"] for one in own["networkAccounts"]] == ["-30"]
