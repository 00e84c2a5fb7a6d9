"""Failed settlements are tried again oldest first. Protocol §5."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.jobs.worker import Worker
from clearwindow.settlements.jobs import SettlementWork
from tests.support.networks import ClientHandle, ConnectionHandle, Json, PartnerHandle, ok
from tests.support.races import at_once
from tests.support.settlements import Testbed, fields_of, post, stage

Deposit = Callable[[int], None]


def failed(testbed: Testbed, partner: PartnerHandle, connection: ConnectionHandle, gains: list[int]) -> list[str]:
    """Stages settlements whose gains the partner cannot pay, and returns them, oldest first."""
    made = []
    for gain in gains:
        made.append(stage(partner, {connection.id: {"BTC": str(gain)}})["id"])
        testbed.clock.advance(minutes=0.1)
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    assert {testbed.state(one) for one in made} == {"failed"}
    return made


def completed(testbed: Testbed, made: list[str]) -> list[int]:
    return [number for number, one in enumerate(made) if testbed.state(one) == "completed"]


@pytest.mark.parametrize("workers", [1, 2])
def test_money_for_one_completes_the_oldest(testbed: Testbed, workers: int) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 1})
    made = failed(testbed, partner, connection, [10] * 6)
    for number in range(4):
        testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 10)
        at_once([lambda: Worker(testbed.runtime, [SettlementWork()]).run_due()] * workers)
        testbed.run_due()
        assert completed(testbed, made) == list(range(number + 1))
    testbed.assert_proven()


def test_younger_one_that_fits_runs_if_the_oldest_does_not(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 1})
    made = failed(testbed, partner, connection, [100, 10, 10])
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 10)
    testbed.run_due()
    assert completed(testbed, made) == [1]


def test_repeating_a_younger_request_tries_the_oldest_first(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 1})
    bodies = [partner.enterprise.sign(fields_of({connection.id: {"BTC": "10"}})) for _ in range(3)]
    made = []
    for body in bodies:
        made.append(ok(post(partner, body))["settlement"]["id"])
        testbed.clock.advance(minutes=0.1)
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    # Money that no deposit announced: it was on the account of a withdrawal that did not happen.
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 10)
    ok(post(partner, bodies[2]))
    testbed.run_due()
    assert completed(testbed, made) == [0]
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 10)
    ok(testbed.operator.post(f"/settlements/{made[2]}/retry"))
    testbed.run_due()
    assert completed(testbed, made) == [0, 1]


def test_job_that_is_no_longer_the_oldest_gives_way(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 1})
    old, young = failed(testbed, partner, connection, [10, 10])
    body_of_young = ok(testbed.operator.post(f"/settlements/{young}/retry"))["settlement"]["id"]
    work = SettlementWork()
    (job,) = work.due(testbed.runtime, 10)
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 10)
    work.perform(testbed.runtime, job)
    testbed.run_due()
    assert (testbed.state(old), testbed.state(body_of_young)) == ("completed", "failed")


def test_any_deposits_complete_what_the_model_says(testbed: Testbed) -> None:
    """The model: whenever money comes, each failed settlement is tried once, oldest first."""

    @settings(
        max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None, print_blob=True
    )
    @given(
        gains=st.lists(st.integers(1, 20), min_size=2, max_size=5),
        deposits=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    )
    def run(gains: list[int], deposits: list[int]) -> None:
        testbed_name = f"exchange-{len(testbed.operator.entries(pageSize=500))}"
        partner = testbed.network.partner(testbed_name)
        connection = testbed.network.funded(partner, {"ofcbtc": 1}, name=f"trader-of-{testbed_name}")
        made = failed(testbed, partner, connection, gains)
        money, done = 0, set[int]()
        for deposit in deposits:
            testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", deposit)
            testbed.run_due()
            money += deposit
            for number, gain in enumerate(gains):
                if number not in done and gain <= money:
                    money -= gain
                    done.add(number)
            assert completed(testbed, made) == sorted(done)

    run()


def test_money_that_comes_back_from_another_partner_completes_the_oldest(testbed: Testbed) -> None:
    """The enterprise is a partner, and with the same Go Account a client of another one."""
    partner = testbed.network.partner(deposits={"ofcbtc": 30})
    other = testbed.network.partner("other")
    away = testbed.network.connect(ClientHandle(partner.client_id, partner.enterprise), other)
    ok(away.allocate("ofcbtc", 20))
    testbed.network.configure("other", asyncAllocations=True)
    asked = ok(away.allocate("ofcbtc", 10))["allocation"]
    assert (asked["status"], away.go_balances()) == ("reserved", {"ofcbtc": (0, 10)})
    connection = testbed.network.funded(partner, {"ofcbtc": 1})
    made = failed(testbed, partner, connection, [10] * 3)

    decide(away, "allocation", asked, status="released", rejectReason="not now")
    testbed.run_due()
    assert completed(testbed, made) == [0]

    asked = ok(away.deallocate("ofcbtc", 10))["deallocation"]
    testbed.run_due()
    assert completed(testbed, made) == [0]
    decide(away, "deallocation", asked, status="cleared")
    testbed.run_due()
    assert completed(testbed, made) == [0, 1]

    testbed.network.configure("other")
    assert ok(away.deallocate("ofcbtc", 10))["deallocation"]["status"] == "cleared"
    testbed.run_due()
    assert completed(testbed, made) == [0, 1, 2]
    testbed.assert_proven()


def decide(connection: ConnectionHandle, what: str, asked: Json, **decision: object) -> None:
    """Has the partner decide what it was asked."""
    fields = {
        f"{what}Id": asked["id"],
        "amount": {"currency": "BTC", "quantity": asked["amount"]["quantity"]},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": connection.client.id,
        "partnersConnectionId": connection.id,
        f"partners{what.capitalize()}Id": "theirs",
        **decision,
    }
    partner = connection.partner
    ok(partner.api.put(f"/partners/{what}s", partner.enterprise.sign(fields)))
