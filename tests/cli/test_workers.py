"""A worker in a separate process, and the check of a ledger that was tampered with."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.simulator.demo import scenario
from clearwindow.simulator.demo.calls import OPERATOR_API, Caller
from clearwindow.simulator.demo.participants import (
    BTC,
    Participants,
    connect,
    known_amounts,
    open_exchange,
    open_trader,
)
from clearwindow.simulator.demo.settlements import Staged, await_stage, read
from clearwindow.simulator.network.plan import Windows
from tests.support.http import loopback_client
from tests.support.processes import START_TOKEN, Running, command, running, serving_folder


@pytest.fixture(scope="module")
def data(open_folder: Path) -> Path:
    return open_folder / "data"


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[Running]:
    with serving_folder(data, "--no-worker", worker_lag_limit_seconds="0.5") as served:
        yield served


@pytest.fixture(scope="module")
def participants(served: Running) -> Iterator[Participants]:
    """An exchange and a trader that has allocated 2 BTC to it."""
    operator = Caller(served.url, START_TOKEN)
    exchange, partner_id = open_exchange(operator, scenario.EXCHANGE, Windows(dispute_minutes=0, top_up_minutes=0))
    trader = open_trader(operator, scenario.ASTER)
    amounts = known_amounts(operator)
    participants = Participants(operator, operator, exchange, partner_id, {scenario.ASTER: trader}, amounts)
    participants.deposit(trader, "4", BTC, "opening")
    connect(trader, partner_id)
    trader.move("allocations", amounts.base_units("2", BTC), BTC, "allocation")
    yield participants
    participants.close()


def check(data: Path, *options: str) -> tuple[int, dict[str, object]]:
    checked = command("check", "--data", str(data), "--json", *options)
    return checked.returncode, json.loads(checked.stdout)


def assert_answers_probes(url: str) -> None:
    with loopback_client(base_url=url, timeout=60) as probe:
        assert probe.get("/healthz").json() == {"status": "ok"}
        assert probe.get("/readyz").json()["work"] == {"ready": True}
        # The server runs no work: what was done is counted here.
        done = re.search(
            r'clearwindow_work_performed_total\{kind="settlements"\} (\S+)', probe.get("/metrics").text
        )
        assert done is not None
        assert float(done[1]) > 0
        assert probe.get("/api/operator/v1/settlements").status_code == 404


def test_separate_worker_does_the_due_work_of_a_server_without_one(
    served: Running, participants: Participants, data: Path
) -> None:
    asked = scenario.settlement_request(participants, "day-1", {scenario.ASTER: {"BTC": "-1.5"}})
    staged = Staged(participants.exchange.caller.send(asked).body["settlement"]["id"], "day-1")
    time.sleep(1)
    assert read(participants.ada, staged)["stage"] == "dispute_window"
    late = served.get("/readyz")
    assert late.status_code == 503
    assert late.json()["work"]["ready"] is False
    assert 'clearwindow_work_due{kind="settlements"} 1.0' in served.get("/metrics").text

    with running(data.parent / "logs", "worker", "--data", str(data), "--probe-port", "0") as worker:
        assert worker.said["working"] == [kind.name for kind in bootstrap.BACKLOGS]
        assert await_stage(participants.ada, staged, "completed")["status"] == "completed"
        assert served.get("/readyz").status_code == 200
        assert_answers_probes(str(worker.said["probes"]))
        code, seconds = worker.end()
    assert code == 0
    assert seconds < 60


def test_check_finds_a_ledger_that_was_tampered_with(
    served: Running, participants: Participants, data: Path
) -> None:
    account = "(SELECT id FROM account WHERE kind = 'go' ORDER BY id LIMIT 1)"
    change = f"UPDATE balance SET available = available + %s WHERE currency = 'ofcbtc' AND account_id = {account}"  # noqa: S608 - no input
    dsn = start_embedded(data, share_running=True).dsn
    with psycopg.connect(dsn) as connection:
        connection.execute(change, [1])
    code, found = check(data)
    findings = found["findings"]
    assert isinstance(findings, list)
    with psycopg.connect(dsn) as connection:
        connection.execute(change, [-1])
    assert code == 1
    assert found["ok"] is False
    assert "balance_equals_its_postings" in json.dumps(findings)
    recorded = 'clearwindow_check_violated{kind="%s"} %.1f'
    assert recorded % ("books", len(findings)) in served.get("/metrics").text
    assert check(data, "--signatures")[0] == 0
    text = served.get("/metrics").text
    assert recorded % ("books", 0) in text
    assert recorded % ("signatures", 0) in text
    assert participants.ada.get(f"{OPERATOR_API}/ledger/check")["ok"] is True
