"""A pause and writes at the same time: what commits before it counts, and nothing gets through after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import httpx2
import psycopg
import pytest

from clearwindow.pauses.store import sql
from tests.pauses.conftest import World
from tests.pauses.test_operations import OPERATIONS, settle_v1, stage_v2, withdraw_of_client
from tests.support.databases import as_superuser
from tests.support.networks import ok
from tests.support.pauses import pause, resume, standing, try_pause
from tests.support.races import Gate, at_once, in_background
from tests.support.settlements import stage

PAUSED = (
    "INSERT INTO pause (id, kind, reason, paused_by, paused_at)"
    " SELECT gen_random_uuid(), 'network', 'now', id, '2026-01-05T12:00:00Z' FROM operator LIMIT 1"
)


@pytest.mark.parametrize("operation", sorted(name for name, (_, stopped, _) in OPERATIONS.items() if stopped))
def test_write_that_waits_for_a_pause_under_way_is_refused(world: World, operation: str) -> None:
    send, _, status = OPERATIONS[operation]
    gate = Gate(world.testbed.runtime)
    with psycopg.connect(as_superuser(world.testbed.runtime.database.dsn)) as pausing:
        # A pause that has the table and is not committed yet.
        pausing.execute("LOCK TABLE pause IN EXCLUSIVE MODE")
        pausing.execute(PAUSED)
        with in_background(lambda: send(world)) as sent:
            try:
                gate.wait_for(1)
            finally:
                pausing.commit()
            answer = sent.result()
    assert (answer.status_code, answer.json()["name"]) == (status, "paused")


@pytest.mark.parametrize("send", [stage_v2, settle_v1])
def test_pause_waits_for_a_write_under_way(world: World, send: Callable[[World], httpx2.Response]) -> None:
    gate = Gate(world.testbed.runtime)
    with ExitStack() as stack:
        with gate.closed("ledger_entry"):
            # The write has read that nothing is paused, and waits before its end for a table that no pause writes.
            sent = stack.enter_context(in_background(lambda: send(world)))
            gate.wait_for(1)
            pausing = stack.enter_context(in_background(lambda: try_pause(world.operator, "network")))
            gate.wait_for(2)
            assert not pausing.done()
        assert sent.result().status_code == 200
        assert pausing.result().status_code == 200
    assert send(world).json()["name"] == "paused"


def test_prepared_statement_that_waited_for_a_pause_sees_it(world: World) -> None:
    dsn = world.testbed.runtime.database.dsn

    def read() -> int:
        return len(reading.execute(sql["first_standing"], prepare=True).fetchall())

    with psycopg.connect(dsn, autocommit=True) as reading, psycopg.connect(dsn) as pausing:
        # So often that PostgreSQL keeps the plan, too.
        assert {read() for _ in range(10)} == {0}
        pausing.execute("LOCK TABLE pause IN EXCLUSIVE MODE")
        pausing.execute(PAUSED)
        with in_background(read) as waiting:
            try:
                Gate(world.testbed.runtime).wait_for(1)
            finally:
                pausing.commit()
            assert waiting.result() == 1


def test_pause_whose_process_dies_before_its_commit_stops_nothing(world: World) -> None:
    pausing = psycopg.connect(as_superuser(world.testbed.runtime.database.dsn))
    try:
        pausing.execute("LOCK TABLE pause IN EXCLUSIVE MODE")
        pausing.execute(PAUSED)
        with in_background(lambda: stage_v2(world)) as sent:
            try:
                Gate(world.testbed.runtime).wait_for(1)
            finally:
                pausing.close()
            assert sent.result().status_code == 200
    finally:
        pausing.close()
    assert standing(world.operator) == []


def test_operators_who_pause_at_the_same_instant_make_one_pause(world: World) -> None:
    answers = at_once([lambda: try_pause(world.operator, "network")] * 10)
    assert len({ok(answer)["pause"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(standing(world.operator)) == 1


def test_pauses_beside_settlements_and_withdrawals_neither_deadlock_nor_let_anything_through(world: World) -> None:
    calls: list[Callable[[], httpx2.Response]] = []
    for _ in range(8):
        calls += [lambda: stage_v2(world), lambda: settle_v1(world), lambda: withdraw_of_client(world)]
        calls += [lambda: world.connection.allocate("ofcbtc", 1), lambda: world.connection.deallocate("ofcbtc", 1)]
        calls.append(lambda: try_pause(world.operator, "network"))
    answers = at_once(calls)
    assert {answer.status_code for answer in answers} <= {200, 403, 422}
    refused = {answer.json()["name"] for answer in answers if answer.status_code != 200}
    assert refused <= {"paused"}
    before = world.connection.balances(), world.connection.go_balances()
    for send, stopped, status in OPERATIONS.values():
        if "network" in stopped:
            assert send(world).status_code == status
    assert (world.connection.balances(), world.connection.go_balances()) == before
    world.testbed.assert_proven()


def test_execution_found_before_a_pause_does_not_run_after_it(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    world.testbed.pass_minutes(11)
    world.testbed.clock.advance(minutes=11)
    with psycopg.connect(as_superuser(world.testbed.runtime.database.dsn)) as holding:
        # The worker has its partner, has found the settlement to be the next, and waits for it.
        holding.execute("SELECT FROM settlement WHERE id = %s FOR UPDATE", [staged["id"]])
        with in_background(world.testbed.run_due) as running:
            try:
                Gate(world.testbed.runtime).wait_for(1)
                paused = pause(world.operator, "client", world.connection.client.id)
            finally:
                holding.commit()
            running.result()
    assert world.testbed.state(staged["id"]) == "top_up_window"
    resume(world.operator, world.second, paused["id"])
    world.testbed.run_due()
    assert world.testbed.state(staged["id"]) == "completed"
