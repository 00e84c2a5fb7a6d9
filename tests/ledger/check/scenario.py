"""A network with something of every kind that the check reads, in every state, made over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI

from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk
from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.settlements import Testbed, close_dispute, dispute, settle, stage
from tests.support.staff import proposed, staff, watched
from tests.support.top_ups import spare_account, standing_top_up

WINDOW_MINUTES = 10


@dataclass
class Scenario:
    """The ids of what the network has, by name."""

    testbed: Testbed
    second: OperatorClient
    ids: dict[str, str] = field(default_factory=dict)

    def stage(self, name: str, partner: PartnerHandle, amounts: Mapping[str, Mapping[str, object]]) -> str:
        self.ids[name] = str(stage(partner, amounts, externalId=name)["id"])
        return self.ids[name]

    def disputed(self, name: str, connection: ConnectionHandle, amount: int) -> None:
        """Stages a loss or gain of one connection, which its client disputes."""
        settlement_id = self.stage(name, connection.partner, {connection.id: {"BTC": str(amount)}})
        self.ids[f"{name}_dispute"] = str(ok(dispute(connection, settlement_id))["dispute"]["id"])

    def approve(self, name: str, adjusted: int) -> None:
        """An operator closes the dispute with an adjustment, and another one approves."""
        body = {"adjustedTransfers": {"ofcbtc": str(adjusted)}, "notes": "as the fills say"}
        closed = ok(self.testbed.operator.post(f"/disputes/{self.ids[f'{name}_dispute']}/close", body))
        self._approved(name, closed["disputeClosure"]["id"])

    def concede(self, name: str, connection: ConnectionHandle) -> None:
        """The client gives its dispute up, and an operator approves."""
        closed = ok(close_dispute(connection, self.ids[f"{name}_dispute"]))
        self._approved(name, closed["disputeClosure"]["id"])

    def by_two(self, path: str) -> None:
        assert self.testbed.operator.post(path, {"reason": "a wrong file"}).status_code == 202
        ok(self.second.post(path, {"reason": "seen"}))

    def _approved(self, name: str, closure_id: str) -> None:
        self.ids[f"{name}_closure"] = closure_id
        ok(self.second.post(f"/dispute-closures/{closure_id}/review", {"decision": "approved"}))


def build(testbed: Testbed, app: FastAPI, second: OperatorClient) -> Scenario:
    """Makes the network. The clock stands between the windows of the last settlements."""
    made = Scenario(testbed, second)
    exchange = testbed.network.partner(onchainEnabled=True, deposits={"ofcbtc": 1_000})
    plenty = {"ofcbtc": 2_000, "ofceth": 2_000}
    ann = testbed.network.funded(exchange, plenty, name="ann")
    bob = testbed.network.funded(exchange, plenty, name="bob")
    desk = ChainDesk(testbed, exchange, ann, bob)
    _onchain_ended(made, desk)
    _allocations(made, ann)
    made.stage("executed", exchange, {ann.id: {"BTC": "-100"}, bob.id: {"BTC": "50"}})
    made.stage("failed", exchange, {bob.id: {"ETH": "500"}})
    made.disputed("standing", ann, -30)
    for name, amount in (("waiting", -40), ("taken", -50), ("carried", -60), ("cancelled", -70)):
        made.disputed(name, bob, amount)
    for _ in range(2):
        testbed.pass_minutes(WINDOW_MINUTES)
    made.approve("carried", 7)
    made.stage("rejected", exchange, {ann.id: {"BTC": "-9"}})
    made.by_two(f"/settlements/{made.ids['rejected']}/reject")
    made.approve("taken", -15)
    made.approve("cancelled", -16)
    made.stage("open", exchange, {ann.id: {"BTC": "-20"}, bob.id: {"BTC": "11"}})
    made.by_two(f"/dispute-closures/{made.ids['cancelled_closure']}/cancel")
    made.concede("waiting", bob)
    _between_connections(made)
    _onchain_open(made, desk)
    _immediate(made)
    _topped_up(made)
    _withdrawals(made, app, ann)
    made.ids |= {"exchange": exchange.id, "ann": ann.id, "bob": bob.id}
    return made


def _onchain_ended(made: Scenario, desk: ChainDesk) -> None:
    ended = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}}, externalId="onchain_ended")
    desk.fund("onchain_ended", "BTC", 110)
    desk.confirm_all()
    desk.confirm_all()
    assert desk.status(ended["id"]) == "completed"
    made.ids["onchain_ended"] = str(ended["id"])


def _onchain_open(made: Scenario, desk: ChainDesk) -> None:
    """A settlement whose loss is on the chain, and whose deposit is held."""
    desk.fund("onchain_open", "BTC", 10)
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    opened = desk.initiate({desk.ann.id: {"BTC": "-21"}, desk.bob.id: {"BTC": "31"}}, externalId="onchain_open")
    desk.testbed.run_due()
    made.ids["onchain_open"] = str(opened["id"])


def _between_connections(made: Scenario) -> None:
    """A trade of a broker's clients that both sides dispute, while its window lasts."""
    network = made.testbed.network
    broker = network.partner("broker", broker=True)
    cid = network.funded(broker, {"ofcbtc": 500}, name="cid")
    dan = network.funded(broker, {"ofcusd": 900}, name="dan")
    made.stage("trade", broker, {cid.id: {dan.id: {"BTC": "20", "USD": "-30"}}})
    for name, connection in (("cid", cid), ("dan", dan)):
        made.ids[f"{name}_dispute"] = str(ok(dispute(connection, made.ids["trade"]))["dispute"]["id"])
    made.ids |= {"cid": cid.id, "dan": dan.id}


def _allocations(made: Scenario, connection: ConnectionHandle) -> None:
    slow = made.testbed.network.partner("slow", asyncAllocations=True)
    waiting = made.testbed.network.connect(connection.client, slow, "slow")
    made.testbed.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 5_000)
    reserved = ok(waiting.allocate("ofcbtc", 25))["allocation"]
    refused = connection.allocate("ofcbtc", 9_999)
    assert refused.status_code == 422
    cleared = ok(connection.deallocate("ofcbtc", 35))["deallocation"]
    made.ids |= {"reserved": reserved["id"], "deallocated": cleared["id"], "slow": waiting.id}


def _immediate(made: Scenario) -> None:
    spot = made.testbed.network.partner("spot", dispute_window=None, top_up_window=None)
    eve = made.testbed.network.funded(spot, {"ofcbtc": 500}, name="eve")
    made.ids["immediate"] = settle(spot, {eve.id: {"BTC": "-45"}})["id"]


def _topped_up(made: Scenario) -> None:
    """A settlement of a partner without money, which its other account has paid."""
    dry = made.testbed.network.partner("dry", dispute_window=0, top_up_window=0)
    gus = made.testbed.network.connect(made.testbed.network.client("gus"), dry)
    standing = standing_top_up(dry, spare_account(made.testbed, dry, ofcbtc=8), perSettlement="5")
    made.stage("topped_up", dry, {gus.id: {"BTC": "5"}})
    made.testbed.run_due()
    assert made.testbed.state(made.ids["topped_up"]) == "completed"
    made.ids["instruction"] = str(standing["id"])


def _withdrawals(made: Scenario, app: FastAPI, connection: ConnectionHandle) -> None:
    """One withdrawal that waits for another operator, and one that was rejected."""
    runtime, account = made.testbed.runtime, connection.client.enterprise.account.id
    with (
        watched(app, runtime),
        staff(runtime, made.second.base_url, "ada") as ada,
        staff(runtime, made.second.base_url, "ben") as ben,
    ):
        made.ids["proposal"] = proposed(ada.move("withdrawals", account, "ofcbtc", 12, "payout-1"))["id"]
        rejected = proposed(ada.move("withdrawals", account, "ofcbtc", 13, "payout-2"))["id"]
        ok(ben.decide(rejected, "reject", {"reason": "no"}))
