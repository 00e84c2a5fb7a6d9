"""Requests and workers that run at the same time leave what some order of them would have left."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest

from clearwindow.settlements.due import SettlementWork
from clearwindow.work.worker import Worker
from tests.support.networks import Json, new_nonce, ok
from tests.support.racing import Gate, at_once, in_background
from tests.support.refusing import staging
from tests.support.settling import Floor, dispute, stage, try_stage


def statuses(responses: list[int]) -> dict[int, int]:
    return dict(Counter(responses))


def test_two_hundred_identical_requests_make_one_settlement(floor: Floor) -> None:
    desk = staging(floor)
    body = desk.signed()
    answers = at_once([partial(desk.send, body)] * 200)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(ok(desk.partner.api.get("/partners/settlements"))["settlements"]) == 1
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    floor.assert_proven()


def test_of_fifty_requests_for_one_external_id_one_is_taken(floor: Floor) -> None:
    desk = staging(floor)
    bodies = [desk.signed(nonce=new_nonce(), notes=f"number {number}") for number in range(50)]
    answers = at_once([partial(desk.send, body) for body in bodies])
    assert statuses([answer.status_code for answer in answers]) == {200: 1, 409: 49}
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    floor.assert_proven()


def test_of_fifty_requests_with_one_nonce_one_is_taken(floor: Floor) -> None:
    desk = staging(floor)
    bodies = [desk.signed(externalId=f"number {number}") for number in range(50)]
    answers = at_once([partial(desk.send, body) for body in bodies])
    assert statuses([answer.status_code for answer in answers]) == {200: 1, 409: 49}
    assert {answer.json()["name"] for answer in answers if answer.status_code == 409} == {"nonce_used"}
    floor.assert_proven()


def test_settlements_that_race_for_a_balance_never_spend_it_twice(floor: Floor) -> None:
    desk = staging(floor)
    own = desk.connection.id
    answers = at_once([partial(try_stage, desk.partner, {own: {"BTC": "-30"}}) for _ in range(50)])
    assert statuses([answer.status_code for answer in answers]) == {200: 33, 422: 17}
    for answer in answers:
        if answer.status_code == 422:
            (short,) = answer.json()["details"]["shortfalls"]
            assert (short["connectionId"], short["liability"]) == (own, "30")
            assert int(short["available"]) == 30 - int(short["shortfall"]) == 10
    assert desk.connection.balances() == {"ofcbtc": (10, 990)}
    floor.assert_proven()
    floor.pass_minutes(20)
    assert desk.connection.balances() == {"ofcbtc": (10, 0)}
    floor.assert_proven()


def test_settlements_of_many_connections_in_any_order_do_not_lock_each_other_out(floor: Floor) -> None:
    desk = staging(floor)
    client = desk.connection.client
    more = [floor.network.connect(client, desk.partner, f"account {number}").id for number in range(5)]
    amounts = {own: {"USD": "1"} for own in more} | {desk.connection.id: {"BTC": "-30"}}
    turned = dict(reversed(amounts.items()))
    calls = [partial(try_stage, desk.partner, amounts if number % 2 else turned) for number in range(40)]
    assert statuses([answer.status_code for answer in at_once(calls)]) == {200: 33, 422: 7}
    floor.assert_proven()


def test_deallocations_and_settlements_share_a_balance_between_them(floor: Floor) -> None:
    desk = staging(floor)
    calls = []
    for _ in range(15):
        calls.append(partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-100"}}))
        calls.append(partial(desk.connection.deallocate, "ofcbtc", 100))
    answers = at_once(calls)
    assert statuses([answer.status_code for answer in answers]) == {200: 10, 422: 20}
    settled = sum(answer.status_code == 200 for answer in answers[::2])
    assert desk.connection.balances() == {"ofcbtc": (0, 100 * settled)}
    assert desk.connection.go_balances() == {"ofcbtc": (1_000 - 100 * settled, 0)}
    floor.assert_proven()


def test_an_objection_that_is_in_before_the_deadline_counts_although_it_commits_after_it(floor: Floor) -> None:
    desk = staging(floor)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    gate = Gate(floor.runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        # The objection has passed its check of the time and waits to be written.
        objection = threads.enter_context(in_background(partial(dispute, desk.connection, settlement_id)))
        gate.wait_for(1)
        floor.clock.advance(minutes=10)
        threads.enter_context(in_background(floor.run_due))
        gate.wait_for(2)
    assert objection.result().status_code == 200
    floor.assert_proven()
    floor.pass_minutes(10)
    assert floor.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    floor.assert_proven()


def test_an_objection_that_waits_past_the_deadline_is_too_late(floor: Floor) -> None:
    desk = staging(floor)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    gate = Gate(floor.runtime)
    with ExitStack() as threads, floor.runtime.transaction() as tx:
        tx.connection.execute("SELECT FROM settlement_party FOR UPDATE")
        objection = threads.enter_context(in_background(partial(dispute, desk.connection, settlement_id)))
        gate.wait_for(1)
        floor.clock.advance(minutes=10)
    late = objection.result()
    assert (late.status_code, late.json()["name"]) == (422, "dispute_window_over")
    floor.run_due()
    floor.pass_minutes(10)
    assert desk.connection.balances() == {"ofcbtc": (993, 0)}
    floor.assert_proven()


def test_objections_that_race_the_end_of_the_window_count_wholly_or_not_at_all(floor: Floor) -> None:
    desk = staging(floor)
    held = 0
    for _ in range(8):
        settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]

        def end_window() -> int:
            floor.clock.advance(minutes=10)
            return floor.run_due()

        def objected(settlement_id: str = settlement_id) -> int:
            return dispute(desk.connection, settlement_id).status_code

        status = at_once([objected, end_window])[0]
        assert status in {200, 422}
        held += 7 if status == 200 else 0
        floor.assert_proven()
        floor.pass_minutes(10)
        assert floor.state(settlement_id) == "completed"
        assert desk.connection.balances()["ofcbtc"][1] == held
        floor.assert_proven()


@pytest.mark.parametrize("partners", [1, 3])
def test_two_workers_execute_each_due_settlement_once(floor: Floor, partners: int) -> None:
    desks = []
    for number in range(partners):
        partner = floor.network.partner(f"exchange-{number}")
        connection = floor.network.funded(partner, {"ofcbtc": 100}, name=f"trader-{number}")
        desks.append((partner, connection))
    made = [
        stage(partner, {connection.id: {"BTC": "-1"}})["id"]
        for _ in range(30 // partners)
        for partner, connection in desks
    ]

    def work() -> None:
        worker = Worker(floor.runtime, [SettlementWork()])
        while due(floor):
            worker.run_due()

    for expected in ("top_up_window", "completed"):
        floor.clock.advance(minutes=10)
        at_once([work, work])
        assert {floor.state(settlement_id) for settlement_id in made} == {expected}
    for _, connection in desks:
        assert connection.balances() == {"ofcbtc": (100 - 30 // partners, 0)}
    assert executions(floor) == Counter(made)
    floor.assert_proven()


def test_of_what_is_due_each_partner_offers_its_first_alone(floor: Floor) -> None:
    staged: dict[str, list[str]] = {}
    for name in ("exchange-0", "exchange-1"):
        partner = floor.network.partner(name)
        connection = floor.network.funded(partner, {"ofcbtc": 100}, name=f"trader-of-{name}")
        for _ in range(2):
            floor.clock.advance(minutes=0.5)
            staged.setdefault(name, []).append(stage(partner, {connection.id: {"BTC": "-1"}})["id"])
    floor.clock.advance(minutes=10)
    work = SettlementWork()
    for first in range(2):
        jobs = work.due(floor.runtime, 10)
        assert [str(job.id) for job in jobs] == [of_one[first] for of_one in staged.values()]
        for job in jobs:
            assert work.perform(floor.runtime, job)
    assert work.due(floor.runtime, 10) == []


def test_a_job_that_another_worker_has_just_done_is_not_done_again(floor: Floor) -> None:
    desk = staging(floor)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    work = SettlementWork()
    for expected in ("top_up_window", "completed"):
        floor.clock.advance(minutes=10)
        (job,) = work.due(floor.runtime, 10)
        for _ in range(2):
            assert work.perform(floor.runtime, job)
            assert floor.state(settlement_id) == expected
    assert desk.connection.balances() == {"ofcbtc": (993, 0)}
    assert executions(floor) == {settlement_id: 1}
    floor.assert_proven()


def due(floor: Floor) -> int:
    with floor.runtime.transaction() as tx:
        return tx.scalars(int, "SELECT count(*) FROM settlement WHERE due_at <= %(now)s", now=tx.now())[0]


def executions(floor: Floor) -> Counter[str]:
    """How often each settlement was executed, by the journal."""
    with floor.runtime.transaction() as tx:
        statement = "SELECT cause_id::text FROM ledger_entry WHERE kind = 'settlement_executed'"
        return Counter(tx.scalars(str, statement))


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"active": False}, 403), ({"clientDisputeWindowMinutes": None}, 403), ({"topUpWindowMinutes": 3}, 200)],
)
def test_a_partner_that_changes_while_its_request_waits_counts_as_it_is_then(
    floor: Floor, changes: Json, status: int
) -> None:
    desk = staging(floor)
    gate = Gate(floor.runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        threads.enter_context(in_background(partial(floor.operator.patch, f"/partners/{desk.partner.id}", changes)))
        gate.wait_for(1)
        request = threads.enter_context(in_background(partial(desk.send, desk.signed())))
        gate.wait_for(2)
    answer = request.result()
    assert answer.status_code == status, answer.text
    if status == 200:
        settlement = floor.settlement(answer.json()["settlement"]["id"])["settlement"]
        assert settlement["topUpDeadlineAt"] == "2026-01-05T12:13:00.000Z"
    floor.assert_proven()
