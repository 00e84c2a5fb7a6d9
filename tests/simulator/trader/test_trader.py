"""A trader against a real server: what it hears, checks, disputes, takes back and finds again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest

from clearwindow.client import NotAuthenticatedError
from clearwindow.runtime import Runtime
from clearwindow.sandbox.trader.faults import Fault
from clearwindow.sandbox.trader.reports import Reports
from clearwindow.sandbox.trader.running import Place, trade
from clearwindow.sandbox.trader.trader import Terms
from tests.sandbox.trader.support import MARKET, access_of, connected, exchange_of, stage_round, trading
from tests.support.networks import ok
from tests.support.settling import Floor, stage
from tests.webhooks.support import deliver, hooks_of


def test_what_is_right_is_left_and_what_is_wrong_is_disputed(floor: Floor, runtime: Runtime) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    with trading([access_of(floor, connection.client)]) as traders:
        # 10 000 dollars each: BTC is 60 000 dollars in the market, and has 8 decimals.
        assert connection.balances()["ofcbtc"][0] == 16_666_666
        assert connection.balances()["ofcusd"][0] == 1_000_000
        stage_round(connection, 1)
        wrong = stage_round(connection, 2, BTC="-0.00000007")
        other = stage(connection.partner, {connection.id: {"BTC": "-0.00000001"}})
        deliver(runtime)
        traders.wait_for("right", settlement="exchange-round-1")
        (said,) = traders.wait_for("disputed", settlement="exchange-round-2")
        traders.wait_for("unknown", settlement=other["externalId"])
        (dispute,) = floor.settlement(wrong)["settlementDisputes"]
        expected = MARKET.net_base_units(connection.id, 2)
        assert dispute["expectedTransfers"] == {name: str(quantity) for name, quantity in expected.items()}
        assert said["reason"] == dispute["reason"] == f"ofcbtc: -7 settled, {expected['ofcbtc']:+d} traded"

        floor.pass_minutes(20)
        deliver(runtime)
        traders.wait_for("completed", 3)
        # Two operators put it right, and the next settlement carries it out.
        made = ok(
            floor.operator.post(
                f"/disputes/{dispute['id']}/close",
                {"adjustedTransfers": dispute["expectedTransfers"], "notes": "the trader is right"},
            )
        )
        review = f"/dispute-closures/{made['disputeClosure']['id']}/review"
        with floor.operator.another("ben") as ben:
            ok(ben.post(review, {"decision": "approved"}))
        stage_round(connection, 3)
        floor.pass_minutes(20)
        deliver(runtime)
        traders.wait_for("completed", settlement="exchange-round-3")
        traders.wait_for("closed", dispute=dispute["id"], status="approved", right=True)
    tally = traders.tally
    counted = {name: tally[name] for name in ("settlements", "right", "wrong", "disputed", "late", "unknown")}
    assert counted == {"settlements": 4, "right": 2, "wrong": 1, "disputed": 1, "late": 0, "unknown": 1}
    assert (tally["completed"], tally["put_right"]) == (4, 1)
    rounds = [MARKET.net_base_units(connection.id, number) for number in (1, 2, 3)]
    assert tally["received"]["ofcbtc"] == sum(net.get("ofcbtc", 0) for net in rounds) - 1
    floor.assert_proven()


def test_a_new_start_finds_what_happened_meanwhile(floor: Floor, runtime: Runtime) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    access = access_of(floor, connection.client)
    with trading([access]) as first:
        pass
    missed = stage_round(connection, 1, USD="-1")
    deliver(runtime)
    with trading([access]) as second:
        second.wait_for("disputed", settlement="exchange-round-1")
        assert len(floor.settlement(missed)["settlementDisputes"]) == 1
        # The endpoint of the first start, whose secret nobody has any more, verifies by its public key.
        assert second.of("listening")[0]["endpoint"] == first.of("listening")[0]["endpoint"]
        floor.clock.advance(minutes=1)
        deliver(runtime)
        (heard,) = second.wait_for("heard", type="settlement.initiated")
        replay = {"eventId": heard["id"]}
        ok(
            hooks_of(floor.network, "trader").call(
                "POST", f"/{second.of('listening')[0]['endpoint']}/replay", replay
            )
        )
        deliver(runtime)
        second.wait_for("heard", id=heard["id"], duplicate=True)
    assert second.tally["deliveries"]["duplicate"] == 1
    assert second.tally["settlements"] == second.tally["disputed"] == 1
    with trading([access]) as third:
        third.wait_for("disputed", settlement="exchange-round-1")
    assert third.tally["disputed"] == 1
    assert len(floor.settlement(missed)["settlementDisputes"]) == 1


def test_a_mistake_is_taken_back(floor: Floor, runtime: Runtime) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    with trading([access_of(floor, connection.client)], faults=[Fault.MISTAKE], fault_percent=100) as traders:
        settlement_id = stage_round(connection, 1)
        deliver(runtime)
        traders.wait_for("disputed", mistake="yes")
        deliver(runtime)
        traders.wait_for("retracted")
        assert not floor.settlement(settlement_id)["settlement"]["disputed"]
        # Once more, and this time the window ends before the trader hears of its own dispute.
        later_id = stage_round(connection, 2)
        deliver(runtime)
        (disputed,) = traders.wait_for("disputed", settlement="exchange-round-2")
        floor.pass_minutes(10)
        deliver(runtime)
        traders.wait_for("given up")
        (given_up,) = floor.settlement(later_id)["settlementDisputes"]
        assert given_up["disputeClosure"]["closedBy"] == "client"
    assert disputed["connection"] == connection.id
    assert (traders.tally["mistaken"], traders.tally["withdrawn"], traders.tally["wrong"]) == (2, 2, 0)


def test_what_comes_too_late_to_be_disputed_is_said(floor: Floor, runtime: Runtime) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    with trading([access_of(floor, connection.client)]) as traders:
        stage_round(connection, 1, USD="-1")
        floor.pass_minutes(10)
        deliver(runtime)
        traders.wait_for("too late", settlement="exchange-round-1")
    assert (traders.tally["wrong"], traders.tally["disputed"], traders.tally["late"]) == (1, 0, 1)


def test_a_delivery_that_fails_comes_again(floor: Floor, runtime: Runtime) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    kinds = [Fault.ERROR_500, Fault.GARBAGE, Fault.DROP]
    access = access_of(floor, connection.client)
    with trading([access], faults=kinds, fault_percent=70) as traders:
        stage_round(connection, 1, USD="-1")
        for type_ in ("settlement.initiated", "dispute.created"):
            while not traders.of("heard", type=type_):
                deliver(runtime)
                floor.clock.advance(minutes=1)
            traders.wait_for("disputed", settlement="exchange-round-1")
    assert traders.tally["disputed"] == 1
    # What this seed draws. Each failure is a delivery that came again, and none of them had taken the event.
    assert traders.tally["faults"] == {"drop": 2, "error-500": 2}
    assert traders.tally["deliveries"] == {"new": 2}


def test_forged_and_oversized_deliveries_are_refused(floor: Floor) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    with trading([access_of(floor, connection.client)]) as traders, httpx2.Client(trust_env=False) as http:
        address = f"{traders.address}/webhooks/trader"
        headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        assert http.post(address, content=b"{}").status_code == 400
        assert http.post(address, content=b"{}", headers=headers).status_code == 400
        assert http.post(address, content=bytes(2**20 + 1), headers=headers).status_code == 413
        assert http.post(f"{traders.address}/webhooks/nobody", content=b"{}").status_code == 404
    assert traders.tally["deliveries"] == {}


def test_who_is_not_let_in_ends(floor: Floor) -> None:
    connection = connected(floor.network, exchange_of(floor.network))
    access = replace(access_of(floor, connection.client), token="not-a-token")
    terms = Terms(seed="1", worth=Decimal(1))

    async def run() -> None:
        await trade([access], terms, Reports(lambda _: None), Place(), asyncio.Event())

    with pytest.raises(NotAuthenticatedError):
        asyncio.run(run())
