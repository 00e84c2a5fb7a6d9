"""Forecasts as a partner and its clients read them. Protocol §5, §6, §10.8."""

from __future__ import annotations

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.settlements import Testbed, approved_closure, dispute, stage, withdraw

UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"
WINDOW_ENDS, TOP_UP_ENDS = "2026-01-05T12:10:00.000Z", "2026-01-05T12:20:00.000Z"


class Scenario:
    """A settlement in its window: the trader loses BTC and gains USD, the other loses BTC and disputes it."""

    def __init__(self, testbed: Testbed, deposits: dict[str, int]) -> None:
        self.testbed = testbed
        self.partner: PartnerHandle = testbed.network.partner(deposits=deposits)
        self.trader: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="trader")
        self.other: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="other")
        amounts = {self.trader.id: {"BTC": "-20", "USD": "7"}, self.other.id: {"BTC": "-30"}}
        self.settlement: Json = stage(self.partner, amounts)
        ok(dispute(self.other, self.settlement["id"]))

    def of_partner(self, **filters: object) -> httpx2.Response:
        return self.partner.api.get(f"/partners/settlements/{self.settlement['id']}/forecast", **filters)

    def of_client(self, connection: ConnectionHandle) -> httpx2.Response:
        return connection.client.api.get(f"/clients/settlements/{self.settlement['id']}/forecast")


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed, {"ofcusd": 7})


def outcomes(forecast: Json) -> list[tuple[str, str, str]]:
    return [(step["at"], step["outcome"], step["stage"]) for step in forecast["steps"]]


def account_of(forecast: Json, connection: ConnectionHandle, currency: str) -> Json:
    (found,) = (
        one
        for one in forecast["networkAccounts"]
        if (one["connectionId"], one["currency"]) == (connection.id, currency)
    )
    return dict(found)


def test_partner_sees_each_deadline_with_open_disputes_in_and_out(scenario: Scenario) -> None:
    answer = ok(scenario.of_partner())
    assert (answer["stage"], answer["openDisputes"], answer["consideredSettlements"]) == ("dispute_window", 1, 1)
    standing, retracted = answer["forecasts"]
    assert (standing["disputes"], retracted["disputes"]) == ("standing", "retracted")
    for forecast in (standing, retracted):
        assert outcomes(forecast) == [
            (WINDOW_ENDS, "amounts_become_final", "top_up_window"),
            (TOP_UP_ENDS, "completes", "completed"),
        ]
    disputed = account_of(standing, scenario.other, "ofcbtc")
    assert (disputed["quantity"], disputed["held"], disputed["heldForDisputes"]) == ("0", "30", "0")
    nothing = {"moves": "0", "availableChange": "0", "held": "30", "heldForDisputes": "30"}
    assert disputed["afterSteps"] == [nothing, nothing]
    runs = account_of(retracted, scenario.other, "ofcbtc")
    assert runs["afterSteps"] == [
        {"moves": "0", "availableChange": "0", "held": "30", "heldForDisputes": "0"},
        {"moves": "-30", "availableChange": "0", "held": "0", "heldForDisputes": "0"},
    ]


def test_partner_sees_what_its_account_needs_at_most(scenario: Scenario) -> None:
    standing, retracted = ok(scenario.of_partner())["forecasts"]
    bitcoin, dollars = standing["partnerAccount"]
    assert (bitcoin["currency"], bitcoin["change"], bitcoin["mostNeeded"]) == ("ofcbtc", "20", "0")
    assert dollars == {
        "currency": "ofcusd", "change": "-7", "available": "7", "mostNeeded": "7", "shortfall": "0",
    }  # fmt: skip
    assert retracted["partnerAccount"][0]["change"] == "50"


def test_settlement_that_the_partner_cannot_pay_is_forecast_to_fail(testbed: Testbed) -> None:
    scenario = Scenario(testbed, {"ofcusd": 6})
    standing, _ = ok(scenario.of_partner())["forecasts"]
    assert outcomes(standing)[-1] == (TOP_UP_ENDS, "fails_for_lack_of_funds", "failed")
    (dollars,) = [one for one in standing["steps"][-1]["partnerAccount"] if one["currency"] == "ofcusd"]
    assert dollars == {"currency": "ofcusd", "change": "-7", "available": "6", "topUp": "0", "shortfall": "1"}
    testbed.pass_minutes(20)
    assert testbed.state(scenario.settlement["id"]) == "failed"
    assert ok(scenario.of_partner())["forecasts"][0]["steps"] == []
    (own,) = ok(scenario.of_client(scenario.trader))["forecasts"]
    assert [step["outcome"] for step in own["steps"]] == ["waits_for_funds"]


def test_earlier_settlement_takes_the_money_first(scenario: Scenario) -> None:
    scenario.testbed.pass_minutes(1)
    later = stage(scenario.partner, {scenario.trader.id: {"USD": "1"}})
    answer = ok(scenario.partner.api.get(f"/partners/settlements/{later['id']}/forecast"))
    assert answer["consideredSettlements"] == 2
    (forecast,) = answer["forecasts"]
    assert forecast["partnerAccount"][0]["shortfall"] == "0"
    last = forecast["steps"][-1]
    assert (last["outcome"], last["partnerAccount"][0]["available"]) == ("fails_for_lack_of_funds", "0")


def test_paused_settlement_waits(scenario: Scenario) -> None:
    ok(scenario.testbed.operator.post("/pauses", {"kind": "network", "reason": "a drill"}))
    standing = ok(scenario.of_partner())["forecasts"][0]
    assert outcomes(standing)[-1] == (TOP_UP_ENDS, "waits_for_resume", "top_up_window")
    (own,) = ok(scenario.of_client(scenario.trader))["forecasts"]
    assert outcomes(own)[-1] == (TOP_UP_ENDS, "waits_for_resume", "top_up_window")


def test_client_sees_only_its_part_and_not_the_funds_of_the_partner(scenario: Scenario) -> None:
    answer = ok(scenario.of_client(scenario.trader))
    assert answer["openDisputes"] == 0
    (forecast,) = answer["forecasts"]
    assert outcomes(forecast) == [
        (WINDOW_ENDS, "amounts_become_final", "top_up_window"),
        (TOP_UP_ENDS, "completes_if_funded", "completed"),
    ]
    accounts = forecast["networkAccounts"]
    assert {one["connectionId"] for one in accounts} == {scenario.trader.id}
    assert [one["afterSteps"][-1]["moves"] for one in accounts] == ["-20", "7"]
    assert "partnerAccount" not in forecast
    assert "consideredSettlements" not in answer
    assert [one["disputes"] for one in ok(scenario.of_client(scenario.other))["forecasts"]] == [
        "standing",
        "retracted",
    ]


def test_withdrawn_settlement_is_forecast_to_run_its_closures_alone(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    trader = testbed.network.funded(partner, {"ofcbtc": 500})
    approved_closure(testbed, trader, "-40")
    settlement_id = stage(partner, {trader.id: {"BTC": "-20", "USD": "7"}})["id"]
    ok(dispute(trader, settlement_id))
    ok(withdraw(partner, settlement_id))
    answer = ok(partner.api.get(f"/partners/settlements/{settlement_id}/forecast"))
    (forecast,) = answer["forecasts"]
    assert (answer["stage"], answer["openDisputes"]) == ("dispute_window", 0)
    assert [one["outcome"] for one in forecast["steps"]] == ["amounts_become_final", "completes"]
    assert [(one["currency"], one["change"], one["mostNeeded"]) for one in forecast["partnerAccount"]] == [
        ("ofcbtc", "40", "0")
    ]
    bitcoin = account_of(forecast, trader, "ofcbtc")
    assert (bitcoin["quantity"], bitcoin["held"]) == ("-40", "40")
    assert [after["held"] for after in bitcoin["afterSteps"]] == ["40", "0"]
    # It has no dollars, and needs none.
    assert ok(partner.api.get("/partners/top-ups", worstCase="true"))["topUps"] == []
    (_, last) = ok(trader.client.api.get("/clients/calendar"))["deadlines"]
    assert {one["currency"]: one["quantity"] for one in last["networkAccounts"]} == {"ofcbtc": "-40", "ofcusd": "0"}


def test_settlement_that_has_ended_has_no_forecast(scenario: Scenario) -> None:
    scenario.testbed.pass_minutes(20)
    for response in (scenario.of_partner(), scenario.of_client(scenario.trader)):
        answer = ok(response)
        assert (answer["stage"], answer["forecasts"]) == ("completed", [])


def test_network_accounts_are_read_in_pages(scenario: Scenario) -> None:
    seen = []
    for number in range(3):
        response = scenario.of_partner(pageSize=1, pageNumber=number)
        assert response.headers["X-Total-Count"] == "3"
        (one,) = ok(response)["forecasts"][0]["networkAccounts"]
        seen.append((one["connectionId"], one["currency"]))
    assert seen == sorted(
        [(scenario.trader.id, "ofcbtc"), (scenario.trader.id, "ofcusd"), (scenario.other.id, "ofcbtc")]
    )
    only = ok(scenario.of_partner(connectionIds=scenario.other.id))["forecasts"][0]["networkAccounts"]
    assert [one["connectionId"] for one in only] == [scenario.other.id]


def test_settlement_of_another_is_as_if_it_did_not_exist(scenario: Scenario) -> None:
    network = scenario.testbed.network
    rival, stranger = network.partner("rival"), network.client("stranger")
    known, unknown = scenario.settlement["id"], UNKNOWN
    for api, side in ((rival.api, "partners"), (stranger.api, "clients")):
        answers = [api.get(f"/{side}/settlements/{each}/forecast") for each in (known, unknown, "no-id")]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.json()["error"] for answer in answers}) == 1
