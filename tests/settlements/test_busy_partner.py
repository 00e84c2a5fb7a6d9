"""A deadline is a promise: requests of the same partner never keep a due step from its turn. Protocol §5."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import itemgetter
from typing import Final
from uuid import UUID

import pytest

from clearwindow.jobs.worker import Worker
from clearwindow.network import parties
from clearwindow.runtime import Runtime
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.settlements.models import DueSettlement
from tests.support.networks import ok
from tests.support.races import Gate, in_background
from tests.support.settlements import Testbed, stage, try_stage

LOCK_PARTNERS: Final = "SELECT FROM partner FOR NO KEY UPDATE"


@contextmanager
def busy(runtime: Runtime) -> Iterator[None]:
    """Holds the lock of every partner, as a request does."""
    with runtime.transaction() as tx:
        tx.connection.execute(LOCK_PARTNERS)
        yield


def the_due_job(testbed: Testbed) -> DueSettlement:
    (job,) = SettlementWork().due(testbed.runtime, 10)
    return job


def test_due_step_gets_the_lock_before_the_second_request_after_it(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    due = stage(partner, {connection.id: {"BTC": "-1"}})["id"]
    testbed.clock.advance(minutes=10)
    job = the_due_job(testbed)
    gate = Gate(testbed.runtime)
    with ExitStack() as threads, busy(testbed.runtime):
        step = threads.enter_context(in_background(partial(SettlementWork().perform, testbed.runtime, job)))
        gate.wait_for(1)
        later = []
        for number in (2, 3):
            call = partial(try_stage, partner, {connection.id: {"BTC": "-1"}})
            later.append(threads.enter_context(in_background(call)))
            gate.wait_for(number)
    assert step.result() is True
    staged = [ok(request.result())["settlement"]["id"] for request in later]
    assert testbed.state(due) == "top_up_window"
    # Events are numbered as they are written, under the partner's lock.
    order = events_of(testbed, "settlement.finalizing", "settlement.initiated")
    assert order.index(due) < order.index(staged[1])
    testbed.assert_proven()


def events_of(testbed: Testbed, *kinds: str) -> list[str]:
    """Returns the settlements of the exchange's events of these kinds, oldest first, without the very first."""
    events = sorted(testbed.operator.events(enterpriseId="exchange", pageSize=500), key=itemgetter("sequence"))
    return [str(event["subjectId"]) for event in events if event["type"] in kinds][1:]


def test_only_one_worker_waits_for_a_busy_partner(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    stage(partner, {connection.id: {"BTC": "-1"}})
    testbed.clock.advance(minutes=10)
    job = the_due_job(testbed)
    gate = Gate(testbed.runtime)
    work = SettlementWork()
    with ExitStack() as threads, busy(testbed.runtime):
        first = threads.enter_context(in_background(partial(work.perform, testbed.runtime, job)))
        gate.wait_for(1)
        assert work.perform(testbed.runtime, job) is False, "another worker waits for this partner already"
    assert first.result() is True


def test_busy_partner_does_not_delay_another_partners_step(testbed: Testbed) -> None:
    made = {}
    for name in ("busy", "quiet"):
        partner = testbed.network.partner(name)
        connection = testbed.network.funded(partner, {"ofcbtc": 100}, name=f"trader-of-{name}")
        made[name] = (partner, stage(partner, {connection.id: {"BTC": "-1"}})["id"])
    testbed.clock.advance(minutes=10)
    worker = Worker(testbed.runtime, [SettlementWork()], poll_seconds=0.01)
    thread = threading.Thread(target=worker.run)
    with testbed.runtime.transaction() as tx:
        parties.lock_partner(tx, UUID(made["busy"][0].id))
        thread.start()
        give_up_at = time.monotonic() + 120
        while testbed.state(made["quiet"][1]) != "top_up_window":
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        assert testbed.state(made["busy"][1]) == "dispute_window"
    while testbed.state(made["busy"][1]) != "top_up_window":
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    worker.stop()
    thread.join()


def test_worker_that_waits_too_long_leaves_the_step_due(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parties, "WORKERS_WAIT_SECONDS", 0.05)
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    due = stage(partner, {connection.id: {"BTC": "-1"}})["id"]
    testbed.clock.advance(minutes=10)
    worker = Worker(testbed.runtime, [SettlementWork()])
    with busy(testbed.runtime):
        assert worker.run_due() == 0
    shown = testbed.settlement(due)["settlement"]
    assert (shown["stage"], shown["attempts"]) == ("dispute_window", 0)
    assert worker.run_due() == 1
    assert testbed.state(due) == "top_up_window"
