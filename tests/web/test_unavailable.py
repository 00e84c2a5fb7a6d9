"""What the server cannot do now: one answer, one line in the log, and a readiness that says why. Protocol §2."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from structlog.testing import capture_logs

from clearwindow import bootstrap
from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from clearwindow.postgres.failures import PROBLEMS, Failure
from clearwindow.runtime import Runtime
from clearwindow.settings import Settings
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.unavailable import assert_unavailable, becomes, make_read_only, readiness, run, stopped, within


@pytest.fixture
def connection_wait_seconds() -> float:
    return CONNECTION_WAIT_SECONDS


@pytest.fixture
def dsn(primary: EmbeddedPostgres) -> str:
    return primary.dsn


def test_read_only_database_is_told_to_everybody_and_works_again(
    network: Network, operator: OperatorClient, base_url: str, primary: EmbeddedPostgres
) -> None:
    client = network.client(deposits={"ofcusd": 100})
    make_read_only(primary.dsn, on=True)
    with capture_logs() as logs:
        for _ in range(3):
            answer = operator.move("deposits", client.enterprise.account.id, "ofcusd", 1)
            assert_unavailable(answer, 503, "database_unavailable")
            answer = client.api.post("/clients/connections", {})
            assert_unavailable(answer, 500, "database_unavailable")
        assert readiness(base_url) == (503, PROBLEMS[Failure.READ_ONLY])
    lines = [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert [(line["event"], line["failure"]) for line in lines] == [("database_failure", "read_only")]
    make_read_only(primary.dsn, on=False)
    operator.deposit(client.enterprise.account.id, "ofcusd", 1)
    assert operator.balances(client.enterprise.account.id)["ofcusd"] == (101, 0)
    assert readiness(base_url) == (200, None)


def test_full_disk_is_told_and_readiness_looks_whether_there_is_room_again(
    network: Network, operator: OperatorClient, base_url: str, dsn: str
) -> None:
    client = network.client()
    # As the server says it. A real full disk needs a file system of its own.
    run(
        dsn,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON custody_movement EXECUTE FUNCTION full_disk()",
    )
    with capture_logs() as logs:
        for _ in range(3):
            answer = operator.move("deposits", client.enterprise.account.id, "ofcusd", 1)
            assert_unavailable(answer, 503, "database_unavailable")
    lines = [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert [(line["event"], line["failure"]) for line in lines] == [("database_failure", "full")]
    # The disk has room now, which a small write shows.
    assert readiness(base_url) == (200, None)
    run(dsn, "DROP TRIGGER full_disk ON custody_movement")
    operator.deposit(client.enterprise.account.id, "ofcusd", 1)


def test_database_that_ends_is_answered_at_once_and_back_within_seconds(
    network: Network, operator: OperatorClient, base_url: str, primary: EmbeddedPostgres, runtime: Runtime
) -> None:
    client = network.client()
    account = client.enterprise.account.id
    with stopped(primary), capture_logs() as logs:
        for _ in range(3):
            with within(seconds=25):
                answer = operator.move("deposits", account, "ofcusd", 1)
            assert_unavailable(answer, 503, "database_unavailable")
            with within(seconds=25):
                assert_unavailable(client.api.get("/clients/balances"), 500, "database_unavailable")
        assert readiness(base_url)[0] == 503
    told = [line["failure"] for line in logs if line["event"] == "database_failure"]
    assert told
    assert len(told) == len(set(told)), "each kind of failure has one line a minute"
    assert not any("exc_info" in line for line in logs)
    # The embedded server is started again after ever longer pauses.
    becomes(lambda: operator.move("deposits", account, "ofcusd", 1, "r-1").status_code == 200, seconds=120)
    assert runtime.database.pool_stats()["pool_size"] >= 1


def test_no_connection_free_is_503_within_a_second(
    network: Network, operator: OperatorClient, runtime: Runtime
) -> None:
    client = network.client()
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(runtime.transaction())
        for answer in (
            operator.move("deposits", client.enterprise.account.id, "ofcusd", 1),
            client.api.get("/clients/balances"),
        ):
            assert_unavailable(answer, 503, "database_busy")


def test_connection_lost_during_the_commit_has_an_unknown_outcome(
    network: Network, operator: OperatorClient, dsn: str
) -> None:
    client = network.client()
    account = client.enterprise.account.id
    run(
        dsn,
        "CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER cut_off AFTER INSERT ON custody_movement DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION cut_off()",
    )
    answer = operator.move("deposits", account, "ofcusd", 5, "r-1")
    assert (answer.status_code, answer.json()["name"]) == (503, "outcome_unknown")
    assert "Retry-After" in answer.headers
    run(dsn, "DROP TRIGGER cut_off ON custody_movement")
    assert operator.move("deposits", account, "ofcusd", 5, "r-1").status_code == 200
    assert operator.balances(account)["ofcusd"] == (5, 0)


def test_connection_lost_before_the_commit_is_unavailable(
    network: Network, operator: OperatorClient, dsn: str
) -> None:
    client = network.client()
    run(
        dsn,
        "CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$",
        "CREATE TRIGGER cut_off AFTER INSERT ON custody_movement EXECUTE FUNCTION cut_off()",
    )
    answer = operator.move("deposits", client.enterprise.account.id, "ofcusd", 5)
    assert_unavailable(answer, 503, "database_unavailable")


def test_worker_tells_once_a_minute_and_postpones_nothing(dsn: str, runtime: Runtime) -> None:
    worker = bootstrap.build_worker(runtime, Settings())
    make_read_only(dsn, on=True)
    thread = threading.Thread(target=worker.run)
    with capture_logs() as logs:
        thread.start()
        becomes(lambda: any(line["event"] == "database_failure" for line in logs), seconds=60)
        # Several looks for work fail meanwhile.
        time.sleep(2)
        worker.stop()
        thread.join()
    lines = [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert {line["event"] for line in lines} == {"database_failure"}
    assert len(lines) <= 2
    assert not any("exc_info" in line for line in lines)
