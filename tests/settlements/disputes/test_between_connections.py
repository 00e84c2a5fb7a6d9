"""Disputes of a settlement between two connections, by one side or both, closed by client or operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.settlements import Testbed, close_dispute, dispute, stage

BTC, USD = "ofcbtc", "ofcusd"


@dataclass
class Trade:
    """Ann sold bob 200 bitcoin for 300 dollars, and cid 40 bitcoin. The broker has no funds."""

    testbed: Testbed
    broker: PartnerHandle
    ann: ConnectionHandle
    bob: ConnectionHandle
    cid: ConnectionHandle
    second: OperatorClient
    settlement_id: str
    disputes: dict[str, str] = field(default_factory=dict)

    def dispute(self, *connections: ConnectionHandle) -> None:
        """The clients dispute one after the other, then the windows end and the settlement executes."""
        for connection in connections:
            raised = ok(dispute(connection, self.settlement_id))["dispute"]
            self.disputes[connection.id] = raised["id"]
            self.testbed.clock.advance(minutes=0.1)
        self.run()

    def run(self) -> None:
        for _ in range(2):
            self.testbed.pass_minutes(10)
            self.testbed.assert_proven()

    def concede(self, connection: ConnectionHandle) -> httpx2.Response:
        """The client gives up its dispute, and an operator approves."""
        closure = ok(close_dispute(connection, self.disputes[connection.id]))["disputeClosure"]
        return self._approve(closure)

    def uphold(self, connection: ConnectionHandle, amounts: dict[str, str]) -> httpx2.Response:
        """An operator closes the dispute with an adjustment, and another one approves."""
        body = {"adjustedTransfers": amounts, "notes": "as the fills say"}
        closed = ok(self.testbed.operator.post(f"/disputes/{self.disputes[connection.id]}/close", body))
        return self._approve(closed["disputeClosure"])

    def _approve(self, closure: Json) -> httpx2.Response:
        response = self.second.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved"})
        self.testbed.assert_proven()
        return response

    def settle(self) -> Json:
        """Stages the next settlement, which takes over the closures, and executes it."""
        following = stage(self.broker, {self.ann.id: {self.cid.id: {"BTC": "1"}}})
        self.testbed.assert_proven()
        self.run()
        assert self.testbed.state(following["id"]) == "completed"
        return following

    def held(self) -> dict[str, dict[str, int]]:
        named = {"ann": self.ann, "bob": self.bob, "cid": self.cid}
        return {
            name: {currency: held for currency, (_, held) in connection.balances().items() if held}
            for name, connection in named.items()
        }

    def total(self, connection: ConnectionHandle) -> dict[str, int]:
        return {currency: sum(parts) for currency, parts in connection.balances().items() if sum(parts)}


@pytest.fixture
def trade(testbed: Testbed) -> Iterator[Trade]:
    broker = testbed.network.partner(broker=True)
    ann = testbed.network.funded(broker, {BTC: 500}, name="ann")
    bob = testbed.network.funded(broker, {USD: 900}, name="bob")
    cid = testbed.network.funded(broker, {BTC: 100}, name="cid")
    trades = {ann.id: {bob.id: {"BTC": "200", "USD": "-300"}, cid.id: {"BTC": "40"}}}
    settlement = stage(broker, trades)
    with testbed.operator.another() as second:
        yield Trade(testbed, broker, ann, bob, cid, second, settlement["id"])


def test_disputed_trade_stays_held_on_both_sides(trade: Trade) -> None:
    trade.dispute(trade.bob)
    assert trade.held() == {"ann": {BTC: 200}, "bob": {USD: 300}, "cid": {}}
    assert trade.total(trade.cid) == {BTC: 140}


def test_trade_runs_after_client_gives_up_its_dispute(trade: Trade) -> None:
    trade.dispute(trade.bob)
    ok(trade.concede(trade.bob))
    assert trade.held() == {"ann": {BTC: 200}, "bob": {USD: 300}, "cid": {}}

    following = trade.settle()

    assert [one["id"] for one in following["settlingDisputes"]] == [trade.disputes[trade.bob.id]]
    assert trade.held() == {"ann": {}, "bob": {}, "cid": {}}
    assert trade.total(trade.ann) == {BTC: 259, USD: 300}
    assert trade.total(trade.bob) == {BTC: 200, USD: 600}


def test_adjustment_moves_money_with_the_broker_and_releases_the_other_side(trade: Trade) -> None:
    trade.dispute(trade.bob)
    ok(trade.uphold(trade.bob, {USD: "-50"}))
    assert trade.held() == {"ann": {}, "bob": {USD: 50}, "cid": {}}

    trade.settle()

    assert trade.total(trade.ann) == {BTC: 459}
    assert trade.total(trade.bob) == {USD: 850}
    balances = ok(trade.broker.api.get("/partners/balances"))["balances"]
    assert balances == {"USD": {"available": "50", "held": "0"}}


def test_broker_pays_an_adjusted_gain(trade: Trade) -> None:
    trade.dispute(trade.bob)
    ok(trade.uphold(trade.bob, {BTC: "30"}))
    following = stage(trade.broker, {trade.ann.id: {trade.cid.id: {"BTC": "1"}}})
    trade.run()
    assert trade.testbed.state(following["id"]) == "failed"

    trade.testbed.operator.deposit(trade.broker.enterprise.account.id, BTC, 30)
    trade.testbed.run_due()

    assert trade.testbed.state(following["id"]) == "completed"
    assert trade.total(trade.bob) == {BTC: 30, USD: 900}


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize("closed_first", ["ann", "bob"])
def test_trade_disputed_by_both_sides_runs_after_both_give_up(trade: Trade, first: str, closed_first: str) -> None:
    sides = {"ann": trade.ann, "bob": trade.bob}
    other = {"ann": "bob", "bob": "ann"}
    trade.dispute(sides[first], sides[other[first]])
    # Only Ann disputes her trade with cid.
    disputed = {"ann": {BTC: 240}, "bob": {USD: 300}, "cid": {}}
    assert trade.held() == disputed

    ok(trade.concede(sides[closed_first]))
    assert trade.held() == disputed
    trade.settle()
    assert trade.held() == {"ann": {BTC: 200 if closed_first == "ann" else 240}, "bob": {USD: 300}, "cid": {}}
    assert trade.total(trade.bob) == {USD: 900}

    ok(trade.concede(sides[other[closed_first]]))
    trade.settle()
    assert trade.held() == {"ann": {}, "bob": {}, "cid": {}}
    assert trade.total(trade.ann) == {BTC: 500 - 240 - 2, USD: 300}
    assert trade.total(trade.bob) == {BTC: 200, USD: 600}
    assert trade.total(trade.cid) == {BTC: 142}


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_adjustment_replaces_trade_disputed_by_both_sides(trade: Trade, first: str) -> None:
    sides = [trade.ann, trade.bob] if first == "ann" else [trade.bob, trade.ann]
    trade.dispute(*sides)

    ok(trade.uphold(trade.bob, {USD: "-10"}))
    assert trade.held() == {"ann": {BTC: 40}, "bob": {USD: 10}, "cid": {}}
    ok(trade.concede(trade.ann))
    assert trade.held() == {"ann": {BTC: 40}, "bob": {USD: 10}, "cid": {}}

    trade.settle()
    assert trade.held() == {"ann": {}, "bob": {}, "cid": {}}
    assert trade.total(trade.ann) == {BTC: 459}
    assert trade.total(trade.bob) == {USD: 890}


def test_adjustment_after_the_other_side_gave_up_replaces_the_trade(trade: Trade) -> None:
    trade.dispute(trade.ann, trade.bob)
    ok(trade.concede(trade.ann))
    ok(trade.uphold(trade.bob, {}))
    assert trade.held() == {"ann": {BTC: 40}, "bob": {}, "cid": {}}
    trade.settle()
    assert trade.total(trade.ann) == {BTC: 459}
    assert trade.total(trade.bob) == {USD: 900}


def test_uncovered_adjustment_is_refused_and_changes_nothing(trade: Trade) -> None:
    trade.dispute(trade.bob)
    refused = trade.uphold(trade.bob, {USD: "-901"})
    assert refused.status_code == 422
    (short,) = refused.json()["details"]["shortfalls"]
    assert short == {"currency": USD, "liability": "901", "available": "900", "shortfall": "1"}
    assert trade.held() == {"ann": {BTC: 200}, "bob": {USD: 300}, "cid": {}}


def test_hold_released_by_another_dispute_covers_the_adjustment(trade: Trade) -> None:
    """Ann's dispute is the earlier one. It holds her bitcoin for the trade that bob's adjustment replaces."""
    trade.dispute(trade.bob, trade.ann)
    ok(trade.uphold(trade.ann, {BTC: "-500"}))
    assert trade.held() == {"ann": {BTC: 500}, "bob": {}, "cid": {}}


def test_closing_client_sees_the_broker_instead_of_the_other_side(trade: Trade) -> None:
    trade.dispute(trade.bob)
    ok(trade.concede(trade.bob))
    following = trade.settle()
    secrets = {trade.ann.id, trade.ann.client.enterprise.account.id, trade.cid.id}
    for path in (
        "/clients/settlement/disputes",
        f"/clients/settlements/{trade.settlement_id}",
        f"/clients/settlements/{following['id']}",
    ):
        response = trade.bob.client.api.get(path)
        assert not [secret for secret in secrets if secret in response.text], path
    listed = ok(trade.bob.client.api.get("/clients/settlement/disputes"))["disputes"]
    made = listed[0]["disputeClosure"]["adjustedSettlementTransfers"]
    assert {one["currency"]: one["quantity"] for one in made} == {BTC: "200", USD: "-300"}
    assert {one["sourceTradingAccountId"] for one in made} == {trade.broker.enterprise.account.id}
    shown = ok(trade.broker.api.get("/partners/settlement/disputes"))["disputes"]
    accounts = {one["sourceTradingAccountId"] for one in shown[0]["disputeClosure"]["adjustedSettlementTransfers"]}
    assert accounts == {trade.ann.client.enterprise.account.id}


def test_other_side_sees_its_transfers_but_no_dispute(trade: Trade) -> None:
    trade.dispute(trade.bob)
    ok(trade.concede(trade.bob))
    following = trade.settle()

    view = ok(trade.ann.client.api.get(f"/clients/settlements/{following['id']}"))

    carried_out = {(one["currency"], one["quantity"]): one for one in view["settlementTransfers"]}
    sold = carried_out[BTC, "200"]
    assert sold["status"] == "completed"
    assert "sourceNetworkAccountId" in sold
    assert "disputeClosureId" not in sold
    assert view["settlingDisputes"] == []
    original = ok(trade.ann.client.api.get(f"/clients/settlements/{trade.settlement_id}"))
    assert original["settlementDisputes"] == []
    assert original["settlement"]["disputed"] is False
    assert {one["status"] for one in original["settlementTransfers"]} == {"disputed", "completed"}


def test_client_closure_is_approved_automatically_if_configured(testbed: Testbed) -> None:
    broker = testbed.network.partner(broker=True, autoApproveClientClosures=True)
    ann = testbed.network.funded(broker, {BTC: 500}, name="ann")
    bob = testbed.network.funded(broker, {USD: 900}, name="bob")
    settlement = stage(broker, {ann.id: {bob.id: {"BTC": "200", "USD": "-300"}}})
    raised = ok(dispute(ann, settlement["id"]))["dispute"]
    testbed.pass_minutes(20)

    closure = ok(close_dispute(ann, raised["id"]))["disputeClosure"]

    assert closure["status"] == "approved"
    assert closure["adjustedTransfers"] == {BTC: "-200", USD: "300"}
    testbed.assert_proven()
    assert (ann.balances()[BTC], bob.balances()[USD]) == ((300, 200), (600, 300))
