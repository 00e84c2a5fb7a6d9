"""A worker looks for due work only where it may find some; and where it may, always."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from clearwindow.bootstrap import WORK
from clearwindow.work.watching import Watch
from clearwindow.work.worker import Worker
from tests.support.settling import Floor, stage

TRIES = 50
PATIENCE_SECONDS = 30


@pytest.fixture
def watch(floor: Floor) -> Watch:
    return Watch(floor.runtime, WORK)


def rests(watch: Watch) -> bool:
    """Whether it comes to see nothing: what PostgreSQL does for itself, now and then, is something too."""
    return any(not watch.may_find() for _ in range(TRIES))


def await_state(floor: Floor, settlement_id: str, state: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while floor.state(settlement_id) != state:
        assert time.monotonic() < deadline, f"it is not {state}"
        time.sleep(0.02)


def test_it_sees_what_is_written_and_when_a_time_comes_and_else_nothing(floor: Floor, watch: Watch) -> None:
    exchange = floor.network.partner(dispute_window=10, top_up_window=10, deposits={"ofcbtc": 10})
    trader = floor.network.funded(exchange, {"ofcbtc": 100})
    assert rests(watch)
    settlement = stage(exchange, {trader.id: {"BTC": "-5"}})
    assert watch.may_find()
    floor.run_due()
    assert rests(watch)
    floor.clock.advance(minutes=9)
    assert rests(watch)
    floor.clock.advance(minutes=1)
    assert watch.may_find()
    assert not rests(watch), "as long as nobody has done it"
    assert floor.run_due() == 1
    assert floor.state(settlement["id"]) == "top_up_window"
    assert rests(watch)


def test_it_sees_what_was_written_before_a_look_and_committed_after_it(watch: Watch, dsn: str) -> None:
    with psycopg.connect(dsn) as writer, psycopg.connect(dsn) as another:
        writer.execute(
            "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"
            " VALUES ('late', 'late', 'x', true, now(), now())"
        )
        another.execute("SELECT pg_current_xact_id()")
        another.commit()
        assert rests(watch), "of two who write, the second has ended first"
        writer.commit()
        assert watch.may_find()
    assert rests(watch)


def test_it_does_not_rest_for_long_however_quiet_it_seems(floor: Floor) -> None:
    watch = Watch(floor.runtime, WORK, longest_rest_seconds=0.05)
    assert rests(watch)
    time.sleep(0.05)
    assert watch.may_find()
    assert rests(watch)


def test_a_worker_that_rests_does_what_comes_to_be_due_and_ends_when_it_is_told(floor: Floor) -> None:
    exchange = floor.network.partner(dispute_window=10, top_up_window=10, deposits={"ofcbtc": 10})
    trader = floor.network.funded(exchange, {"ofcbtc": 100})
    worker = Worker(floor.runtime, WORK, poll_seconds=0.01)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        settlement = stage(exchange, {trader.id: {"BTC": "-5"}})
        for state in ("top_up_window", "completed"):
            floor.clock.advance(minutes=10)
            await_state(floor, settlement["id"], state)
    finally:
        worker.stop()
        running.join(PATIENCE_SECONDS)
    assert not running.is_alive()
