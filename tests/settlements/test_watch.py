"""A worker looks for due work if and only if there may be some."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import psycopg
import pytest

from clearwindow.bootstrap import WORK
from clearwindow.jobs.watch import Watch
from clearwindow.jobs.worker import Worker
from tests.support.settlements import Testbed, stage

TRIES = 50
TIMEOUT_SECONDS = 120


@pytest.fixture
def watch(testbed: Testbed) -> Watch:
    return Watch(testbed.runtime, WORK)


def rests(watch: Watch) -> bool:
    """Returns whether the watch reports nothing in one of several looks: PostgreSQL's own writes also count."""
    return any(not watch.may_find() for _ in range(TRIES))


def await_state(testbed: Testbed, settlement_id: str, state: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while testbed.state(settlement_id) != state:
        assert time.monotonic() < deadline, f"the settlement is not {state}"
        time.sleep(0.02)


def test_watch_reports_written_and_due_work_and_nothing_else(testbed: Testbed, watch: Watch) -> None:
    exchange = testbed.network.partner(dispute_window=10, top_up_window=10, deposits={"ofcbtc": 10})
    trader = testbed.network.funded(exchange, {"ofcbtc": 100})
    assert rests(watch)
    settlement = stage(exchange, {trader.id: {"BTC": "-5"}})
    assert watch.may_find()
    testbed.run_due()
    assert rests(watch)
    testbed.clock.advance(minutes=9)
    assert rests(watch)
    testbed.clock.advance(minutes=1)
    assert watch.may_find()
    assert not rests(watch), "the due work is not done yet"
    assert testbed.run_due() == 1
    assert testbed.state(settlement["id"]) == "top_up_window"
    assert rests(watch)


def test_watch_reports_work_committed_after_a_look(watch: Watch, dsn: str) -> None:
    with psycopg.connect(dsn) as writer, psycopg.connect(dsn) as another:
        writer.execute(
            "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"
            " VALUES ('late', 'late', 'x', true, now(), now())"
        )
        another.execute("SELECT pg_current_xact_id()")
        another.commit()
        assert rests(watch), "the later of two writers has committed first"
        writer.commit()
        assert watch.may_find()
    assert rests(watch)


def test_worker_rests_only_for_a_limited_time(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("clearwindow.jobs.watch.time", SimpleNamespace(monotonic=lambda: now))
    watch = Watch(testbed.runtime, WORK, longest_rest_seconds=5)
    assert rests(watch)
    now = 5.0
    assert watch.may_find()
    assert rests(watch)


def test_resting_worker_does_due_work_and_stops_when_asked(testbed: Testbed) -> None:
    exchange = testbed.network.partner(dispute_window=10, top_up_window=10, deposits={"ofcbtc": 10})
    trader = testbed.network.funded(exchange, {"ofcbtc": 100})
    worker = Worker(testbed.runtime, WORK, poll_seconds=0.01)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        settlement = stage(exchange, {trader.id: {"BTC": "-5"}})
        for state in ("top_up_window", "completed"):
            testbed.clock.advance(minutes=10)
            await_state(testbed, settlement["id"], state)
    finally:
        worker.stop()
        running.join(TIMEOUT_SECONDS)
    assert not running.is_alive()
