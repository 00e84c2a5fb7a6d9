"""Requests and workers that run at the same time have the same effect as one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from uuid import UUID

import pytest

from clearwindow.jobs.worker import Worker
from clearwindow.ledger import store
from clearwindow.ledger.models import Balance
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import batches
from clearwindow.settlements.jobs import SettlementWork
from tests.support.networks import Json, new_nonce, ok
from tests.support.races import Gate, at_once, in_background
from tests.support.refusals import staging
from tests.support.settlements import Testbed, dispute, stage, try_stage


def statuses(responses: list[int]) -> dict[int, int]:
    return dict(Counter(responses))


def test_two_hundred_identical_requests_create_one_settlement(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed()
    answers = at_once([partial(desk.send, body)] * 200)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(ok(desk.partner.api.get("/partners/settlements"))["settlements"]) == 1
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    testbed.assert_proven()


def test_one_of_fifty_requests_with_the_same_external_id_is_accepted(testbed: Testbed) -> None:
    desk = staging(testbed)
    bodies = [desk.signed(nonce=new_nonce(), notes=f"number {number}") for number in range(50)]
    answers = at_once([partial(desk.send, body) for body in bodies])
    assert statuses([answer.status_code for answer in answers]) == {200: 1, 409: 49}
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    testbed.assert_proven()


def test_one_of_fifty_requests_with_the_same_nonce_is_accepted(testbed: Testbed) -> None:
    desk = staging(testbed)
    bodies = [desk.signed(externalId=f"number {number}") for number in range(50)]
    answers = at_once([partial(desk.send, body) for body in bodies])
    assert statuses([answer.status_code for answer in answers]) == {200: 1, 409: 49}
    assert {answer.json()["name"] for answer in answers if answer.status_code == 409} == {"nonce_used"}
    testbed.assert_proven()


def test_concurrent_settlements_never_spend_a_balance_twice(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection.id
    answers = at_once([partial(try_stage, desk.partner, {own: {"BTC": "-30"}}) for _ in range(50)])
    assert statuses([answer.status_code for answer in answers]) == {200: 33, 422: 17}
    for answer in answers:
        if answer.status_code == 422:
            (short,) = answer.json()["details"]["shortfalls"]
            assert (short["connectionId"], short["liability"]) == (own, "30")
            assert int(short["available"]) == 30 - int(short["shortfall"]) == 10
    assert desk.connection.balances() == {"ofcbtc": (10, 990)}
    testbed.assert_proven()
    testbed.pass_minutes(20)
    assert desk.connection.balances() == {"ofcbtc": (10, 0)}
    testbed.assert_proven()


def test_concurrent_settlements_of_many_connections_do_not_deadlock(testbed: Testbed) -> None:
    desk = staging(testbed)
    client = desk.connection.client
    more = [testbed.network.connect(client, desk.partner, f"account {number}").id for number in range(5)]
    amounts = {own: {"USD": "1"} for own in more} | {desk.connection.id: {"BTC": "-30"}}
    backwards = dict(reversed(amounts.items()))
    calls = [partial(try_stage, desk.partner, amounts if number % 2 else backwards) for number in range(40)]
    assert statuses([answer.status_code for answer in at_once(calls)]) == {200: 33, 422: 7}
    testbed.assert_proven()


def test_concurrent_deallocations_and_settlements_never_spend_a_balance_twice(testbed: Testbed) -> None:
    desk = staging(testbed)
    calls = []
    for _ in range(15):
        calls.append(partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-100"}}))
        calls.append(partial(desk.connection.deallocate, "ofcbtc", 100))
    answers = at_once(calls)
    assert statuses([answer.status_code for answer in answers]) == {200: 10, 422: 20}
    settled = sum(answer.status_code == 200 for answer in answers[::2])
    assert desk.connection.balances() == {"ofcbtc": (0, 100 * settled)}
    assert desk.connection.go_balances() == {"ofcbtc": (1_000 - 100 * settled, 0)}
    testbed.assert_proven()


def test_staging_that_waited_for_a_deallocation_says_what_is_left(testbed: Testbed) -> None:
    desk = staging(testbed)
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, gate.closed("allocation"):
        # The deallocation has changed the balance and waits to be written. Before it, everything was covered.
        threads.enter_context(in_background(partial(desk.connection.deallocate, "ofcbtc", 995)))
        gate.wait_for(1)
        staged = threads.enter_context(
            in_background(partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-10"}}))
        )
        gate.wait_for(2)
    refused = staged.result()
    assert refused.status_code == 422, refused.text
    (short,) = refused.json()["details"]["shortfalls"]
    assert (short["liability"], short["available"], short["shortfall"]) == ("10", "5", "5")
    testbed.assert_proven()


def test_staging_whose_lack_is_gone_before_it_is_told_may_be_sent_again(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = staging(testbed)
    body = desk.signed(settlementAmounts={desk.connection.id: {"BTC": "-1001"}})

    def allocated_meanwhile(tx: Transaction, account_ids: Iterable[UUID]) -> dict[UUID, dict[str, Balance]]:
        ok(desk.connection.allocate("ofcbtc", 1))
        return balances_of(tx, account_ids)

    balances_of = store.balances_of
    testbed.operator.deposit(desk.connection.client.enterprise.account.id, "ofcbtc", 1)
    with monkeypatch.context() as patched:
        patched.setattr(store, "balances_of", allocated_meanwhile)
        refused = desk.send(body)
    assert (refused.status_code, refused.json()["details"]["reason"]) == (503, "database_busy")
    assert desk.connection.balances() == {"ofcbtc": (1_001, 0)}
    ok(desk.send(body))
    testbed.assert_proven()


def test_dispute_checked_before_the_deadline_counts_if_it_commits_later(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        # The dispute has passed the check of the deadline and waits to be written.
        raised = threads.enter_context(in_background(partial(dispute, desk.connection, settlement_id)))
        gate.wait_for(1)
        testbed.clock.advance(minutes=10)
        threads.enter_context(in_background(testbed.run_due))
        gate.wait_for(2)
    assert raised.result().status_code == 200
    testbed.assert_proven()
    testbed.pass_minutes(10)
    assert testbed.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    testbed.assert_proven()


def test_dispute_that_waits_for_a_lock_past_the_deadline_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, testbed.runtime.transaction() as tx:
        tx.connection.execute("SELECT FROM settlement_party FOR UPDATE")
        raised = threads.enter_context(in_background(partial(dispute, desk.connection, settlement_id)))
        gate.wait_for(1)
        testbed.clock.advance(minutes=10)
    late = raised.result()
    assert (late.status_code, late.json()["name"]) == (422, "dispute_window_over")
    testbed.run_due()
    testbed.pass_minutes(10)
    assert desk.connection.balances() == {"ofcbtc": (993, 0)}
    testbed.assert_proven()


def test_dispute_at_the_end_of_the_window_counts_completely_or_not_at_all(testbed: Testbed) -> None:
    desk = staging(testbed)
    held = 0
    for _ in range(8):
        settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]

        def end_window() -> int:
            testbed.clock.advance(minutes=10)
            return testbed.run_due()

        def disputed(settlement_id: str = settlement_id) -> int:
            return dispute(desk.connection, settlement_id).status_code

        status = at_once([disputed, end_window])[0]
        assert status in {200, 422}
        held += 7 if status == 200 else 0
        testbed.assert_proven()
        testbed.pass_minutes(10)
        assert testbed.state(settlement_id) == "completed"
        assert desk.connection.balances()["ofcbtc"][1] == held
        testbed.assert_proven()


@pytest.mark.parametrize("partners", [1, 3])
def test_two_workers_execute_each_due_settlement_once(testbed: Testbed, partners: int) -> None:
    desks = []
    for number in range(partners):
        partner = testbed.network.partner(f"exchange-{number}")
        connection = testbed.network.funded(partner, {"ofcbtc": 100}, name=f"trader-{number}")
        desks.append((partner, connection))
    made = [
        stage(partner, {connection.id: {"BTC": "-1"}})["id"]
        for _ in range(30 // partners)
        for partner, connection in desks
    ]

    def work() -> None:
        worker = Worker(testbed.runtime, [SettlementWork()])
        while due(testbed):
            worker.run_due()

    for expected in ("top_up_window", "completed"):
        testbed.clock.advance(minutes=10)
        at_once([work, work])
        assert {testbed.state(settlement_id) for settlement_id in made} == {expected}
    for _, connection in desks:
        assert connection.balances() == {"ofcbtc": (100 - 30 // partners, 0)}
    assert executions(testbed) == Counter(made)
    testbed.assert_proven()


@pytest.mark.parametrize("most", [1, batches.MOST_SETTLEMENTS])
def test_only_the_earliest_due_settlement_of_each_partner_is_claimed(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(batches, "MOST_SETTLEMENTS", most)
    staged: dict[str, list[str]] = {}
    for name in ("exchange-0", "exchange-1"):
        partner = testbed.network.partner(name)
        connection = testbed.network.funded(partner, {"ofcbtc": 100}, name=f"trader-of-{name}")
        for _ in range(2):
            testbed.clock.advance(minutes=0.5)
            staged.setdefault(name, []).append(stage(partner, {connection.id: {"BTC": "-1"}})["id"])
    testbed.clock.advance(minutes=10)
    work = SettlementWork()
    # Whoever claims one takes all that is due of its partner, if batches may have so many.
    for first in range(2 if most == 1 else 1):
        jobs = work.due(testbed.runtime, 10)
        assert [str(job.id) for job in jobs] == [of_one[first] for of_one in staged.values()]
        for job in jobs:
            assert work.perform(testbed.runtime, job)
    assert work.due(testbed.runtime, 10) == []
    assert {testbed.state(each) for of_one in staged.values() for each in of_one} == {"top_up_window"}


def test_job_done_by_another_worker_is_not_done_again(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    work = SettlementWork()
    for expected in ("top_up_window", "completed"):
        testbed.clock.advance(minutes=10)
        (job,) = work.due(testbed.runtime, 10)
        for _ in range(2):
            assert work.perform(testbed.runtime, job)
            assert testbed.state(settlement_id) == expected
    assert desk.connection.balances() == {"ofcbtc": (993, 0)}
    assert executions(testbed) == {settlement_id: 1}
    testbed.assert_proven()


def due(testbed: Testbed) -> int:
    with testbed.runtime.transaction() as tx:
        return tx.scalars(int, "SELECT count(*) FROM settlement WHERE due_at <= %(now)s", now=tx.now())[0]


def executions(testbed: Testbed) -> Counter[str]:
    """Returns how often the journal says that each settlement was executed."""
    with testbed.runtime.transaction() as tx:
        statement = "SELECT cause_id::text FROM ledger_entry WHERE kind = 'settlement_executed'"
        return Counter(tx.scalars(str, statement))


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"active": False}, 403), ({"clientDisputeWindowMinutes": None}, 403), ({"topUpWindowMinutes": 3}, 200)],
)
def test_partner_changed_while_its_request_waits_is_read_again(
    testbed: Testbed, changes: Json, status: int
) -> None:
    desk = staging(testbed)
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        threads.enter_context(
            in_background(partial(testbed.operator.patch, f"/partners/{desk.partner.id}", changes))
        )
        gate.wait_for(1)
        request = threads.enter_context(in_background(partial(desk.send, desk.signed())))
        gate.wait_for(2)
    answer = request.result()
    assert answer.status_code == status, answer.text
    if status == 200:
        settlement = testbed.settlement(answer.json()["settlement"]["id"])["settlement"]
        assert settlement["topUpDeadlineAt"] == "2026-01-05T12:13:00.000Z"
    testbed.assert_proven()
