"""The course of a settlement: staged, final, executed. Protocol §5."""

from __future__ import annotations

import threading

import psycopg
import pytest

from clearwindow.database.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import course
from clearwindow.settlements.due import SettlementWork
from clearwindow.settlements.values import DueSettlement, Settlement
from clearwindow.work.worker import Worker
from tests.support.networks import ok
from tests.support.settling import Floor, dispute, stage, try_stage


def test_a_settlement_moves_what_it_says_after_its_windows(floor: Floor) -> None:
    partner = floor.network.partner(deposits={"ofcusd": 1_000})
    loser = floor.network.funded(partner, {"ofcbtc": 500}, name="loser")
    winner = floor.network.funded(partner, {"ofcusd": 10}, name="winner")

    settlement = stage(partner, {loser.id: {"BTC": "-200"}, winner.id: {"USD": "70"}})

    assert settlement["status"] == "pending"
    assert settlement["settlingDisputes"] == []
    assert loser.balances() == {"ofcbtc": (300, 200)}
    floor.assert_proven()
    assert floor.run_due() == 0

    floor.pass_minutes(10)
    assert floor.state(settlement["id"]) == "top_up_window"
    assert loser.balances() == {"ofcbtc": (300, 200)}
    floor.assert_proven()

    floor.pass_minutes(10)
    assert floor.state(settlement["id"]) == "completed"
    assert loser.balances() == {"ofcbtc": (300, 0)}
    assert winner.balances() == {"ofcusd": (80, 0)}
    balances = ok(partner.api.get("/partners/balances"))["balances"]
    assert balances == {
        "BTC": {"available": "200", "held": "0"},
        "USD": {"available": "930", "held": "0"},
    }
    floor.assert_proven()


def test_a_disputed_connection_is_left_out_and_stays_held(floor: Floor) -> None:
    partner = floor.network.partner()
    one = floor.network.funded(partner, {"ofcbtc": 500}, name="one")
    other = floor.network.funded(partner, {"ofcbtc": 500}, name="other")
    settlement = stage(partner, {one.id: {"BTC": "-200"}, other.id: {"BTC": "-100"}})

    raised = ok(dispute(one, settlement["id"], {"ofcbtc": "-50"}))["dispute"]

    floor.pass_minutes(10)
    floor.assert_proven()
    floor.pass_minutes(10)
    assert floor.state(settlement["id"]) == "completed"
    assert one.balances() == {"ofcbtc": (300, 200)}
    assert other.balances() == {"ofcbtc": (400, 0)}
    statuses = {
        transfer["destinationNetworkAccountId"]: transfer["status"]
        for transfer in floor.settlement(settlement["id"])["settlementTransfers"]
    }
    assert sorted(statuses.values()) == ["completed", "disputed"]
    assert raised["retracted"] is False
    floor.assert_proven()


def test_short_of_funds_it_fails_with_every_shortfall_and_a_deposit_mends_it(floor: Floor) -> None:
    partner = floor.network.partner(deposits={"ofcusd": 50})
    winner = floor.network.funded(partner, {"ofcbtc": 5}, name="winner")
    settlement = stage(partner, {winner.id: {"USD": "70", "BTC": "3"}})

    floor.pass_minutes(10)
    assert "settlement.top_up_required" in floor.event_types("exchange")
    floor.pass_minutes(10)

    shown = ok(partner.api.get(f"/partners/settlements/{settlement['id']}"))["settlement"]
    assert shown["status"] == "failed"
    assert shown["reason"] == (
        "the partner's account is short of ofcbtc by 3 (needs 3, has 0), ofcusd by 20 (needs 70, has 50)"
    )
    to_client = ok(winner.client.api.get(f"/clients/settlements/{settlement['id']}"))["settlement"]
    assert "50" not in to_client["reason"]
    assert winner.balances() == {"ofcbtc": (5, 0)}

    floor.operator.deposit(partner.enterprise.account.id, "ofcusd", 20)
    floor.run_due()
    assert floor.state(settlement["id"]) == "failed"
    reason = floor.settlement(settlement["id"])["settlement"]["reason"]
    assert reason == "the partner's account is short of ofcbtc by 3 (needs 3, has 0)"

    floor.operator.deposit(partner.enterprise.account.id, "ofcbtc", 3)
    floor.run_due()
    assert floor.state(settlement["id"]) == "completed"
    assert winner.balances() == {"ofcbtc": (8, 0), "ofcusd": (70, 0)}
    floor.assert_proven()


def test_losses_come_in_before_gains_go_out(floor: Floor) -> None:
    partner = floor.network.partner()
    loser = floor.network.funded(partner, {"ofcbtc": 100}, name="loser")
    winner = floor.network.funded(partner, {"ofcusd": 1}, name="winner")
    settlement = stage(partner, {loser.id: {"BTC": "-100"}, winner.id: {"BTC": "100"}})

    floor.pass_minutes(20)

    assert floor.state(settlement["id"]) == "completed"
    assert winner.balances() == {"ofcbtc": (100, 0), "ofcusd": (1, 0)}


def test_money_that_another_settlement_brings_in_is_enough_too(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    first = stage(partner, {connection.id: {"BTC": "40"}})
    floor.pass_minutes(20)
    assert floor.state(first["id"]) == "failed"

    second = stage(partner, {connection.id: {"BTC": "-60"}})
    floor.pass_minutes(20)

    assert floor.state(second["id"]) == "completed"
    assert floor.state(first["id"]) == "completed"
    assert connection.balances() == {"ofcbtc": (80, 0)}
    floor.assert_proven()


def test_an_operator_may_have_it_tried_again(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "40"}})
    floor.pass_minutes(20)

    retried = ok(floor.operator.post(f"/settlements/{settlement['id']}/retry"))["settlement"]

    assert retried["status"] == "pending"
    floor.run_due()
    assert floor.state(settlement["id"]) == "failed"
    assert floor.event_types("trader").count("settlement.failed") == 2


def test_a_partner_may_have_it_executed_as_soon_as_funded(floor: Floor) -> None:
    partner = floor.network.partner(executeWhenFunded=True)
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    losing = stage(partner, {connection.id: {"BTC": "-10"}})
    floor.pass_minutes(10)
    assert floor.state(losing["id"]) == "completed"

    winning = stage(partner, {connection.id: {"BTC": "40"}})
    floor.pass_minutes(10)
    assert floor.state(winning["id"]) == "top_up_window"
    floor.operator.deposit(partner.enterprise.account.id, "ofcbtc", 30)
    floor.run_due()
    assert floor.state(winning["id"]) == "completed"
    assert connection.balances() == {"ofcbtc": (130, 0)}
    floor.assert_proven()


def test_windows_of_zero_make_it_instant(floor: Floor) -> None:
    partner = floor.network.partner(dispute_window=0, top_up_window=0)
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    assert settlement["status"] == "pending"
    floor.run_due()
    assert floor.state(settlement["id"]) == "completed"


def test_windows_may_be_fractions_and_are_frozen_at_creation(floor: Floor) -> None:
    partner = floor.network.partner(dispute_window=0.05, top_up_window=0.025)
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    ok(floor.operator.patch(f"/partners/{partner.id}", {"clientDisputeWindowMinutes": 500}))

    shown = floor.settlement(settlement["id"])["settlement"]

    assert shown["disputeDeadlineAt"] == "2026-01-05T12:00:03.000Z"
    assert shown["topUpDeadlineAt"] == "2026-01-05T12:00:04.500Z"
    floor.pass_minutes(0.05)
    assert floor.state(settlement["id"]) == "top_up_window"
    floor.pass_minutes(0.025)
    assert floor.state(settlement["id"]) == "completed"


def test_a_settlement_that_everybody_disputed_completes_with_nothing_executed(floor: Floor) -> None:
    partner = floor.network.partner()
    one = floor.network.funded(partner, {"ofcbtc": 100}, name="one")
    other = floor.network.funded(partner, {"ofcbtc": 100}, name="other")
    settlement = stage(partner, {one.id: {"BTC": "-10"}, other.id: {"BTC": "5"}})
    for connection in (one, other):
        ok(dispute(connection, settlement["id"]))

    floor.pass_minutes(20)

    assert floor.state(settlement["id"]) == "completed"
    assert one.balances() == {"ofcbtc": (90, 10)}
    assert other.balances() == {"ofcbtc": (100, 0)}
    floor.assert_proven()


def test_an_inactive_connection_still_settles(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    ok(connection.client.api.put(connection.path, {"active": False}))
    settlement = stage(partner, {connection.id: {"BTC": "-10"}})
    floor.pass_minutes(20)
    assert floor.state(settlement["id"]) == "completed"


def test_what_is_held_cannot_be_deallocated(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    stage(partner, {connection.id: {"BTC": "-60"}})
    assert connection.deallocate("ofcbtc", 41).status_code == 422
    assert connection.deallocate("ofcbtc", 40).status_code == 200
    floor.assert_proven()


def test_an_operator_may_reject_it_and_everything_held_is_free_again(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-60"}})

    path = f"/settlements/{settlement['id']}/reject"
    rejected = ok(floor.operator.post(path, {"reason": "sent by mistake"}))["settlement"]

    assert (rejected["status"], rejected["reason"]) == ("rejected", "sent by mistake")
    assert connection.balances() == {"ofcbtc": (100, 0)}
    assert ok(floor.operator.post(path))["settlement"]["reason"] == "sent by mistake"
    assert floor.pass_minutes(20) == 0
    assert floor.event_types("trader")[-2:] == ["settlement.rejected", "balance.changed"]
    shown = ok(partner.api.get(f"/partners/settlements/{settlement['id']}"))
    assert [one["status"] for one in shown["settlementTransfers"]] == ["rejected"]
    floor.assert_proven()


def test_what_carries_disputes_is_not_rejected(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-60"}})
    ok(dispute(connection, settlement["id"]))
    path = f"/settlements/{settlement['id']}/reject"
    assert floor.operator.post(path).json()["name"] == "settlement_disputed"
    floor.pass_minutes(20)
    assert floor.operator.post(path).json()["name"] == "settlement_state"


def test_a_brokers_amounts_sum_to_zero(floor: Floor) -> None:
    partner = floor.network.partner(broker=True, currencies={"BTC": "ofcbtc", "XBT": "ofcbtc", "USD": "ofcusd"})
    one = floor.network.funded(partner, {"ofcbtc": 100}, name="one")
    other = floor.network.funded(partner, {"ofcusd": 100}, name="other")

    refused = try_stage(partner, {one.id: {"BTC": "-10", "USD": "5"}, other.id: {"XBT": "9", "USD": "-5"}})

    assert refused.status_code == 400
    assert refused.json()["name"] == "amounts_not_net_zero"
    assert refused.json()["details"] == {"sums": {"BTC and XBT": "-1"}}
    stage(partner, {one.id: {"BTC": "-10", "USD": "5"}, other.id: {"XBT": "10", "USD": "-5"}})
    floor.pass_minutes(20)
    assert one.balances() == {"ofcbtc": (90, 0), "ofcusd": (5, 0)}
    assert other.balances() == {"ofcbtc": (10, 0), "ofcusd": (95, 0)}


def test_everybody_concerned_hears_of_it(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    stage(partner, {connection.id: {"BTC": "-60"}})
    floor.pass_minutes(20)
    stages = ["settlement.initiated", "settlement.finalizing", "settlement.completed"]
    for enterprise in ("exchange", "trader"):
        kinds = floor.event_types(enterprise)
        assert [kind for kind in kinds if kind.startswith("settlement.")] == stages
        assert kinds[-1] == "balance.changed"
    event = ok(floor.operator.get("/events", enterpriseId="trader", types="settlement.initiated"))["events"][0]
    assert event["payload"]["connectionIds"] == [connection.id]


def test_money_that_arrives_while_it_is_tried_again_is_seen_and_blocks_nobody(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "40"}})
    floor.pass_minutes(20)
    assert floor.state(settlement["id"]) == "failed"
    floor.operator.deposit(partner.enterprise.account.id, "ofcbtc", 1)
    trying, deposited = threading.Event(), threading.Event()
    compute = course._partner_change  # noqa: SLF001 - the moment between the settlement's lock and the balance's

    def compute_slowly(tx: Transaction, tried: Settlement) -> dict[str, int]:
        trying.set()
        deposited.wait(timeout=0.5)
        return compute(tx, tried)

    monkeypatch.setattr(course, "_partner_change", compute_slowly)
    worker = threading.Thread(target=floor.run_due)
    worker.start()
    assert trying.wait(timeout=10)
    floor.operator.deposit(partner.enterprise.account.id, "ofcbtc", 39)
    deposited.set()
    worker.join(timeout=10)

    floor.run_due()

    assert floor.state(settlement["id"]) == "completed"
    assert floor.settlement(settlement["id"])["settlement"]["attempts"] == 0


def test_a_defect_is_noted_and_tried_again_later(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    with monkeypatch.context() as broken:

        def defect(*_: object) -> None:
            raise ZeroDivisionError("a defect")

        broken.setattr(course, "_finalise", defect)
        assert floor.pass_minutes(10) == 0
    item = ok(floor.operator.get("/work"))["work"][0]
    assert (item["status"], item["attempts"]) == ("failing", 1)
    assert item["lastError"] == "ZeroDivisionError: a defect"
    assert floor.run_due() == 0

    floor.pass_minutes(0.05)

    assert floor.state(settlement["id"]) == "top_up_window"
    assert ok(floor.operator.get("/work"))["work"][0]["status"] == "waiting"


class WithoutAnswer(SettlementWork):
    """Loses its connection when the step is committed and the database's answer is on its way."""

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        super().perform(runtime, job)
        raise psycopg.OperationalError("the connection is lost")


def test_a_step_that_was_done_is_not_done_again_before_its_time(floor: Floor) -> None:
    partner = floor.network.partner(deposits={"ofcusd": 1_000})
    connection = floor.network.funded(partner, {"ofcusd": 100})
    settlement = stage(partner, {connection.id: {"USD": "50"}})
    floor.clock.advance(minutes=10)

    Worker(floor.runtime, [WithoutAnswer()]).run_due()

    assert floor.state(settlement["id"]) == "top_up_window"
    floor.pass_minutes(5)
    assert floor.state(settlement["id"]) == "top_up_window"
    floor.pass_minutes(5)
    assert floor.state(settlement["id"]) == "completed"
    floor.assert_proven()
