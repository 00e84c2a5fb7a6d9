"""The course of a settlement: staged, final, executed. Protocol §5."""

from __future__ import annotations

import psycopg

from clearwindow.runtime import Runtime
from clearwindow.settlements.due import SettlementWork
from clearwindow.settlements.values import DueSettlement
from clearwindow.work.worker import Worker
from tests.support.networks import ok
from tests.support.settling import Floor, dispute, stage


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
