"""A trader on a real server: webhooks, checks, disputes, retractions and restarts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest

from clearwindow.client import NotAuthenticatedError
from clearwindow.runtime import Runtime
from clearwindow.simulator.trader.faults import Fault
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.run import ListenAddress, trade
from clearwindow.simulator.trader.trader import Terms
from tests.simulator.trader.support import MARKET, access_of, connected, exchange_of, stage_round, trading
from tests.support.networks import ok
from tests.support.settlements import Testbed, stage
from tests.webhooks.support import deliver, hooks_of


def test_only_wrong_settlements_are_disputed(testbed: Testbed, runtime: Runtime) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    with trading([access_of(testbed, connection.client)]) as traders:
        # 10 000 dollars each: BTC is 60 000 dollars in the market, and has 8 decimals.
        assert connection.balances()["ofcbtc"][0] == 16_666_666
        assert connection.balances()["ofcusd"][0] == 1_000_000
        stage_round(connection, 1)
        wrong = stage_round(connection, 2, BTC="-0.00000007")
        other = stage(connection.partner, {connection.id: {"BTC": "-0.00000001"}})
        deliver(runtime)
        traders.wait_for("right", settlement="exchange-round-1")
        (line,) = traders.wait_for("disputed", settlement="exchange-round-2")
        traders.wait_for("unknown", settlement=other["externalId"])
        (dispute,) = testbed.settlement(wrong)["settlementDisputes"]
        expected = MARKET.net_base_units(connection.id, 2)
        assert dispute["expectedTransfers"] == {name: str(quantity) for name, quantity in expected.items()}
        assert line["reason"] == dispute["reason"] == f"ofcbtc: -7 settled, {expected['ofcbtc']:+d} traded"

        testbed.pass_minutes(20)
        deliver(runtime)
        traders.wait_for("completed", 3)
        # Two operators close the dispute, and the next settlement executes the adjusted transfers.
        made = ok(
            testbed.operator.post(
                f"/disputes/{dispute['id']}/close",
                {"adjustedTransfers": dispute["expectedTransfers"], "notes": "the trader is right"},
            )
        )
        review = f"/dispute-closures/{made['disputeClosure']['id']}/review"
        with testbed.operator.another("ben") as ben:
            ok(ben.post(review, {"decision": "approved"}))
        stage_round(connection, 3)
        testbed.pass_minutes(20)
        deliver(runtime)
        traders.wait_for("completed", settlement="exchange-round-3")
        traders.wait_for("closed", dispute=dispute["id"], status="approved", right=True)
    tally = traders.tally
    counted = {name: tally[name] for name in ("settlements", "right", "wrong", "disputed", "late", "unknown")}
    assert counted == {"settlements": 4, "right": 2, "wrong": 1, "disputed": 1, "late": 0, "unknown": 1}
    assert (tally["completed"], tally["put_right"]) == (4, 1)
    rounds = [MARKET.net_base_units(connection.id, number) for number in (1, 2, 3)]
    assert tally["received"]["ofcbtc"] == sum(net.get("ofcbtc", 0) for net in rounds) - 1
    testbed.assert_proven()


def test_a_restart_finds_settlements_that_it_missed(testbed: Testbed, runtime: Runtime) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    access = access_of(testbed, connection.client)
    with trading([access]) as first:
        pass
    missed = stage_round(connection, 1, USD="-1")
    deliver(runtime)
    with trading([access]) as second:
        second.wait_for("disputed", settlement="exchange-round-1")
        assert len(testbed.settlement(missed)["settlementDisputes"]) == 1
        # It reuses the endpoint of the first start. The secret is lost, but the public key verifies deliveries.
        assert second.find("listening")[0]["endpoint"] == first.find("listening")[0]["endpoint"]
        testbed.clock.advance(minutes=1)
        deliver(runtime)
        (received,) = second.wait_for("heard", type="settlement.initiated")
        replay = {"eventId": received["id"]}
        ok(
            hooks_of(testbed.network, "trader").call(
                "POST", f"/{second.find('listening')[0]['endpoint']}/replay", replay
            )
        )
        deliver(runtime)
        second.wait_for("heard", id=received["id"], duplicate=True)
    assert second.tally["deliveries"]["duplicate"] == 1
    assert second.tally["settlements"] == second.tally["disputed"] == 1
    with trading([access]) as third:
        third.wait_for("disputed", settlement="exchange-round-1")
    assert third.tally["disputed"] == 1
    assert len(testbed.settlement(missed)["settlementDisputes"]) == 1


def test_a_mistaken_dispute_is_retracted_or_closed(testbed: Testbed, runtime: Runtime) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    with trading([access_of(testbed, connection.client)], faults=[Fault.MISTAKE], fault_percent=100) as traders:
        settlement_id = stage_round(connection, 1)
        deliver(runtime)
        traders.wait_for("disputed", mistake="yes")
        deliver(runtime)
        traders.wait_for("retracted")
        assert not testbed.settlement(settlement_id)["settlement"]["disputed"]
        # This time the window ends before the trader hears of its own dispute.
        later_id = stage_round(connection, 2)
        deliver(runtime)
        (disputed,) = traders.wait_for("disputed", settlement="exchange-round-2")
        testbed.pass_minutes(10)
        deliver(runtime)
        traders.wait_for("given up")
        (given_up,) = testbed.settlement(later_id)["settlementDisputes"]
        assert given_up["disputeClosure"]["closedBy"] == "client"
    assert disputed["connection"] == connection.id
    assert (traders.tally["mistaken"], traders.tally["withdrawn"], traders.tally["wrong"]) == (2, 2, 0)


def test_a_wrong_settlement_found_after_the_window_is_reported_as_too_late(
    testbed: Testbed, runtime: Runtime
) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    with trading([access_of(testbed, connection.client)]) as traders:
        stage_round(connection, 1, USD="-1")
        testbed.pass_minutes(10)
        deliver(runtime)
        traders.wait_for("too late", settlement="exchange-round-1")
    assert (traders.tally["wrong"], traders.tally["disputed"], traders.tally["late"]) == (1, 0, 1)


def test_a_failed_delivery_is_repeated(testbed: Testbed, runtime: Runtime) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    kinds = [Fault.ERROR_500, Fault.GARBAGE, Fault.DROP]
    access = access_of(testbed, connection.client)
    with trading([access], faults=kinds, fault_percent=70) as traders:
        stage_round(connection, 1, USD="-1")
        for type_ in ("settlement.initiated", "dispute.created"):
            while not traders.find("heard", type=type_):
                deliver(runtime)
                testbed.clock.advance(minutes=1)
            traders.wait_for("disputed", settlement="exchange-round-1")
    assert traders.tally["disputed"] == 1
    # The faults of this seed. Each failed delivery was repeated, and none had been accepted.
    assert traders.tally["faults"] == {"drop": 2, "error-500": 2}
    assert traders.tally["deliveries"] == {"new": 2}


def test_forged_and_oversized_deliveries_are_refused(testbed: Testbed) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    with trading([access_of(testbed, connection.client)]) as traders, httpx2.Client(trust_env=False) as http:
        address = f"{traders.address}/webhooks/trader"
        headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        assert http.post(address, content=b"{}").status_code == 400
        assert http.post(address, content=b"{}", headers=headers).status_code == 400
        assert http.post(address, content=bytes(2**20 + 1), headers=headers).status_code == 413
        assert http.post(f"{traders.address}/webhooks/nobody", content=b"{}").status_code == 404
    assert traders.tally["deliveries"] == {}


def test_a_trader_with_an_invalid_token_ends(testbed: Testbed) -> None:
    connection = connected(testbed.network, exchange_of(testbed.network))
    access = replace(access_of(testbed, connection.client), token="not-a-token")
    terms = Terms(seed="1", worth=Decimal(1))

    async def run() -> None:
        await trade([access], terms, Reports(lambda _: None), ListenAddress(), asyncio.Event())

    with pytest.raises(NotAuthenticatedError):
        asyncio.run(run())
