"""What a standing top-up does when a settlement is short: exactly that, and never more. Protocol §5, §10."""

from __future__ import annotations

import pytest

from tests.support.networks import Json, ok
from tests.support.settlements import Testbed, close_dispute, dispute, stage
from tests.support.top_ups import instruct, spare_account, standing_top_up


class Scenario:
    """A partner that has 4 BTC and 10 ETH, has 10 of each in another account, and pays out 7 BTC and 2 ETH."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.partner = testbed.network.partner(deposits={"ofcbtc": 4, "ofceth": 10})
        self.trader = testbed.network.funded(self.partner, {"ofcbtc": 500})
        self.spare = spare_account(testbed, self.partner, ofcbtc=10, ofceth=10)

    def stage(self, **amounts: str) -> str:
        return str(stage(self.partner, {self.trader.id: amounts or {"BTC": "7", "ETH": "2"}})["id"])

    def in_spare(self) -> dict[str, int]:
        found = self.testbed.operator.balances(self.spare)
        return {currency: available for currency, (available, _) in found.items()}

    def own(self) -> dict[str, int]:
        found = self.testbed.operator.balances(self.partner.enterprise.account.id)
        return {currency: available for currency, (available, _) in found.items()}

    def forecast(self, settlement_id: str) -> Json:
        found = ok(self.partner.api.get(f"/partners/settlements/{settlement_id}/forecast"))
        return dict(found["forecasts"][0]["steps"][-1])

    def events(self, *types: str) -> list[Json]:
        return [
            one["payload"] for one in self.testbed.operator.events(enterpriseId="exchange", types=",".join(types))
        ]


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


def test_short_settlement_gets_exactly_what_it_lacks(scenario: Scenario) -> None:
    standing = standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    settlement = scenario.stage()
    step = scenario.forecast(settlement)
    assert step["outcome"] == "completes"
    assert [(one["currency"], one["topUp"], one["shortfall"]) for one in step["partnerAccount"]] == [
        ("ofcbtc", "3", "0"),
        ("ofceth", "0", "0"),
    ]
    assert ok(scenario.partner.api.get("/partners/top-ups"))["topUps"] == []
    scenario.testbed.pass_minutes(10)
    assert scenario.in_spare() == {"ofcbtc": 10, "ofceth": 10}
    scenario.testbed.pass_minutes(10)
    assert scenario.testbed.state(settlement) == "completed"
    assert scenario.in_spare() == {"ofcbtc": 7, "ofceth": 10}
    assert scenario.own() == {"ofcbtc": 0, "ofceth": 8}
    (used,) = scenario.events("standing_top_up.used")
    assert used == {
        "standingTopUpId": standing["id"],
        "goAccountId": scenario.spare,
        "currency": "ofcbtc",
        "settlementId": settlement,
        "quantity": "3",
    }
    assert scenario.events("settlement.top_up_required") == []
    scenario.testbed.assert_proven()
    scenario.testbed.assert_signed()


def test_settlement_that_is_not_short_takes_nothing(scenario: Scenario) -> None:
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    settlement = scenario.stage(BTC="4")
    scenario.testbed.pass_minutes(20)
    assert scenario.testbed.state(settlement) == "completed"
    assert scenario.in_spare() == {"ofcbtc": 10, "ofceth": 10}


@pytest.mark.parametrize("why", ["limit", "source", "other currency"])
def test_nothing_comes_if_it_does_not_cover_everything(scenario: Scenario, why: str) -> None:
    limit = {"limit": "2"}.get(why, "50")
    standing_top_up(scenario.partner, scenario.spare, perSettlement=limit)
    amounts = {"source": {"BTC": "15"}, "other currency": {"BTC": "7", "ETH": "11"}}.get(why, {"BTC": "7"})
    settlement = scenario.stage(**amounts)
    assert scenario.forecast(settlement)["outcome"] == "fails_for_lack_of_funds"
    scenario.testbed.pass_minutes(20)
    assert scenario.testbed.state(settlement) == "failed"
    assert scenario.in_spare() == {"ofcbtc": 10, "ofceth": 10}
    assert scenario.own() == {"ofcbtc": 4, "ofceth": 10}


def test_several_settlements_use_a_source_up(scenario: Scenario) -> None:
    standing_top_up(scenario.partner, scenario.spare, perSettlement="8")
    first = scenario.stage(BTC="12")
    scenario.testbed.clock.advance(minutes=1)
    second = scenario.stage(BTC="3")
    scenario.testbed.pass_minutes(20)
    assert [scenario.testbed.state(one) for one in (first, second)] == ["completed", "failed"]
    scenario.testbed.operator.deposit(scenario.spare, "ofcbtc", 9)
    scenario.testbed.run_due()
    assert [scenario.testbed.state(one) for one in (first, second)] == ["completed", "completed"]
    scenario.testbed.assert_proven()


def test_instruction_for_what_has_failed_has_it_tried_again(scenario: Scenario) -> None:
    settlement = scenario.stage()
    scenario.testbed.pass_minutes(20)
    assert scenario.testbed.state(settlement) == "failed"
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    scenario.testbed.run_due()
    assert scenario.testbed.state(settlement) == "completed"


def test_revoked_instruction_is_not_used(scenario: Scenario) -> None:
    standing = standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    settlement = scenario.stage()
    scenario.testbed.pass_minutes(19)
    path = f"/partners/standing-top-ups/{standing['id']}"
    assert scenario.partner.api.delete(path).status_code == 204
    scenario.testbed.pass_minutes(1)
    assert scenario.testbed.state(settlement) == "failed"
    assert scenario.in_spare() == {"ofcbtc": 10, "ofceth": 10}


@pytest.mark.parametrize("kind", ["account", "currency"])
def test_paused_account_tops_nothing_up_until_it_is_resumed(scenario: Scenario, kind: str) -> None:
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    settlement = scenario.stage()
    subject = {"account": scenario.spare, "currency": "ofcbtc"}[kind]
    paused = ok(scenario.testbed.operator.post("/pauses", {"kind": kind, "id": subject, "reason": "a drill"}))
    waits = {"account": "fails_for_lack_of_funds", "currency": "waits_for_resume"}[kind]
    assert scenario.forecast(settlement)["outcome"] == waits
    scenario.testbed.pass_minutes(20)
    assert scenario.testbed.state(settlement) == {"account": "failed", "currency": "top_up_window"}[kind]
    assert scenario.in_spare()["ofcbtc"] == 10
    with scenario.testbed.operator.another() as second:
        path = f"/pauses/{paused['pause']['id']}/resume"
        scenario.testbed.operator.post(path, {"reason": "over"})
        second.post(path, {"reason": "over"})
    if kind == "account":
        ok(scenario.testbed.operator.post(f"/settlements/{settlement}/retry"))
    scenario.testbed.run_due()
    assert scenario.testbed.state(settlement) == "completed"
    assert scenario.in_spare()["ofcbtc"] == 7


def test_other_money_comes_to_a_source_while_something_is_paused(scenario: Scenario) -> None:
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    ok(scenario.testbed.operator.post("/pauses", {"kind": "network", "reason": "a drill"}))
    scenario.testbed.operator.deposit(scenario.spare, "ofcbtc", 1)
    assert scenario.in_spare()["ofcbtc"] == 11


def test_closures_of_a_rejected_settlement_are_topped_up(scenario: Scenario) -> None:
    testbed, trader = scenario.testbed, scenario.trader
    disputed = scenario.stage(BTC="7")
    raised = ok(dispute(trader, disputed))["dispute"]["id"]
    testbed.pass_minutes(20)
    closure = ok(close_dispute(trader, raised))["disputeClosure"]["id"]
    with testbed.operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure}/review", {"decision": "approved"}))
        path = f"/settlements/{scenario.stage(ETH='1')}/reject"
        assert testbed.operator.post(path, {"reason": "a mistake"}).status_code == 202
        ok(second.post(path, {"reason": "seen"}))
    testbed.pass_minutes(20)
    assert trader.balances()["ofcbtc"] == (500, 0)
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    testbed.run_due()
    assert trader.balances()["ofcbtc"] == (507, 0)
    assert scenario.in_spare()["ofcbtc"] == 7
    testbed.assert_proven()


def test_partner_that_settles_when_funded_is_topped_up_when_the_window_ends(testbed: Testbed) -> None:
    scenario = Scenario(testbed)
    testbed.network.configure("exchange", executeWhenFunded=True)
    standing_top_up(scenario.partner, scenario.spare, perSettlement="3")
    settlement = scenario.stage(BTC="7")
    testbed.pass_minutes(10)
    assert testbed.state(settlement) == "completed"
    assert scenario.in_spare()["ofcbtc"] == 7


def test_what_was_instructed_can_be_given_again_after_it_was_revoked(scenario: Scenario) -> None:
    first = standing_top_up(scenario.partner, scenario.spare)
    again = instruct(scenario.partner, scenario.spare)
    assert (again.status_code, again.json()["name"]) == (409, "standing_top_up_exists")
    assert again.json()["details"] == {"standingTopUpId": first["id"]}
    assert scenario.partner.api.delete(f"/partners/standing-top-ups/{first['id']}").status_code == 204
    assert standing_top_up(scenario.partner, scenario.spare)["id"] != first["id"]
