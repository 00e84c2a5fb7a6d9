"""The shared clock of a sandbox, read and moved over HTTP."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from clearwindow.core.clock import ManualClock, wire_time
from clearwindow.runtime import Runtime
from tests.conftest import START
from tests.simulator.conftest import Join
from tests.support.networks import ok
from tests.support.operators import OperatorClient


def at(minutes: float) -> str:
    return wire_time(START + timedelta(minutes=minutes))


def test_every_process_sees_a_move_and_the_audit_trail_records_it(
    operator: OperatorClient, join: Join, clock: ManualClock
) -> None:
    other = join()
    seen = ok(operator.get("/clock"))
    assert seen == {"now": at(0), "wall": at(0), "sandbox": True}
    moved = ok(operator.post("/clock", {"advanceMinutes": 90.5}))
    assert moved == {"now": at(90.5), "wall": at(0), "sandbox": True, "target": at(90.5)}
    with other.transaction() as tx:
        assert tx.now() == START + timedelta(minutes=90.5)
    clock.advance(minutes=1)
    assert ok(operator.get("/clock"))["now"] == at(91.5)
    assert ok(operator.post("/clock", {"now": at(120)}))["now"] == at(120)
    assert other.clock.now() == START + timedelta(minutes=91.5), "it reads the clock when it begins a transaction"
    with other.transaction():
        assert other.clock.now() == START + timedelta(minutes=120)
    moves = operator.audit_log(action="clock.moved")
    assert [move["details"] for move in moves] == [
        {"from": at(91.5), "to": at(120)},
        {"from": at(0), "to": at(90.5)},
    ]


def test_moving_to_the_same_time_again_changes_nothing(operator: OperatorClient, clock: ManualClock) -> None:
    ok(operator.post("/clock", {"now": at(60)}))
    clock.advance(minutes=1)
    assert ok(operator.post("/clock", {"now": at(60)}))["now"] == at(61)
    assert len(operator.audit_log(action="clock.moved")) == 1


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({}, 400, "clock_request_unclear"),
        ({"advanceMinutes": 1, "now": at(1)}, 400, "clock_request_unclear"),
        ({"advanceMinutes": -0.001}, 400, "clock_backwards"),
        ({"advanceMinutes": "1"}, 400, "request_invalid"),
        ({"advanceMinutes": 366 * 24 * 60 + 1}, 400, "clock_too_far"),
        ({"now": wire_time(datetime(2028, 1, 5, tzinfo=UTC))}, 400, "clock_too_far"),
        ({"now": at(-1)}, 409, "clock_backwards"),
        ({"now": "tomorrow"}, 400, "request_invalid"),
    ],
)
def test_invalid_clock_requests_are_rejected(
    operator: OperatorClient, body: dict[str, object], status: int, name: str
) -> None:
    refused = operator.post("/clock", body)
    assert (refused.status_code, refused.json()["name"]) == (status, name)
    assert ok(operator.get("/clock")) == {"now": at(0), "wall": at(0), "sandbox": True}


def test_a_transaction_that_waited_for_a_lock_sees_the_later_time(
    runtime: Runtime, join: Join, operator: OperatorClient
) -> None:
    """A window's end is decided under a lock: the next transaction with the lock must see that it has ended."""
    other = join()
    begun, decided = threading.Event(), []

    def wait_for_it() -> None:
        with other.transaction() as tx:
            begun.set()
            tx.run("SELECT pg_advisory_xact_lock(1)")
            decided.append(tx.now())

    with runtime.transaction() as tx:
        tx.run("SELECT pg_advisory_xact_lock(1)")
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        begun.wait()
        ok(operator.post("/clock", {"advanceMinutes": 10}))
    waiting.join()
    assert decided == [START + timedelta(minutes=10)]


def test_the_database_rejects_a_clock_that_goes_back(operator: OperatorClient, dsn: str) -> None:
    ok(operator.post("/clock", {"advanceMinutes": 1}))
    with psycopg.connect(dsn, autocommit=True) as connection:
        for change, constraint in (
            ("UPDATE sandbox SET clock_offset_milliseconds = 59999", "sandbox_clock_forwards"),
            ("UPDATE sandbox SET resets = resets - 1", "sandbox_clock_forwards"),
            ("DELETE FROM sandbox", "sandbox_kept"),
            ("INSERT INTO sandbox DEFAULT VALUES", "sandbox_pkey"),
        ):
            with pytest.raises(psycopg.errors.IntegrityError) as refused:
                connection.execute(change)
            assert refused.value.diag.constraint_name == constraint
    assert ok(operator.get("/clock"))["now"] == at(1)
