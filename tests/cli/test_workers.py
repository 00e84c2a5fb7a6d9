"""A worker in a process of its own, and the check of a ledger that somebody tampered with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.database.embedded import start_embedded
from clearwindow.sandbox.demo import story
from clearwindow.sandbox.demo.calls import OPERATOR_API, Caller
from clearwindow.sandbox.demo.cast import (
    BTC,
    Cast,
    Participant,
    Trader,
    connect,
    join,
    known_amounts,
    open_exchange,
)
from clearwindow.sandbox.demo.course import Staged, await_stage, read
from tests.support.processes import START_TOKEN, Running, command, running, serving_folder

NO_WINDOWS = {"clientDisputeWindowMinutes": 0, "topUpWindowMinutes": 0}


@pytest.fixture(scope="module")
def data(open_folder: Path) -> Path:
    return open_folder / "data"


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[Running]:
    with serving_folder(data, "--no-worker", worker_lag_limit_seconds="0.5") as served:
        yield served


@pytest.fixture(scope="module")
def cast(served: Running) -> Iterator[Cast]:
    """An exchange and a trader that has allocated 2 BTC to it."""
    operator = Caller(served.url, START_TOKEN)
    exchange = Participant(**join(operator, served.url, story.EXCHANGE))
    trader = Trader(**join(operator, served.url, story.ASTER))
    partner_id = open_exchange(operator, exchange, NO_WINDOWS)
    amounts = known_amounts(operator)
    cast = Cast(operator, operator, exchange, partner_id, {story.ASTER: trader}, amounts)
    cast.deposit(trader, "4", BTC, "opening")
    connect(trader, partner_id)
    trader.move("allocations", amounts.base_units("2", BTC), BTC, "allocation")
    yield cast
    cast.close()


def check(data: Path) -> tuple[int, dict[str, object]]:
    checked = command("check", "--data", str(data), "--json")
    return checked.returncode, json.loads(checked.stdout)


def test_a_worker_of_its_own_does_the_due_work_of_a_server_without(served: Running, cast: Cast, data: Path) -> None:
    asked = story.settlement_request(cast, "day-1", {story.ASTER: {"BTC": "-1.5"}})
    staged = Staged(cast.exchange.caller.send(asked).body["settlement"]["id"], "day-1")
    time.sleep(1)
    assert read(cast.ada, staged)["stage"] == "dispute_window"
    late = served.get("/readyz")
    assert late.status_code == 503
    assert late.json()["work"]["ready"] is False
    assert 'clearwindow_work_due{kind="settlements"} 1.0' in served.get("/metrics").text

    with running(data.parent / "logs", "worker", "--data", str(data)) as worker:
        assert worker.said == {"working": [kind.name for kind in bootstrap.BACKLOGS]}
        assert await_stage(cast.ada, staged, "completed")["status"] == "completed"
        assert served.get("/readyz").status_code == 200
        code, seconds = worker.end()
    assert code == 0
    assert seconds < 15


def test_a_ledger_that_somebody_tampered_with_is_found_out(cast: Cast, data: Path) -> None:
    account = "(SELECT id FROM account WHERE kind = 'go' ORDER BY id LIMIT 1)"
    change = f"UPDATE balance SET available = available + %s WHERE currency = 'ofcbtc' AND account_id = {account}"  # noqa: S608 - no input
    dsn = start_embedded(data, share_running=True).dsn
    with psycopg.connect(dsn) as connection:
        connection.execute(change, [1])
    code, found = check(data)
    with psycopg.connect(dsn) as connection:
        connection.execute(change, [-1])
    assert code == 1
    assert found["ok"] is False
    assert "balance_equals_its_postings" in json.dumps(found["findings"])
    assert check(data)[0] == 0
    assert cast.ada.get(f"{OPERATOR_API}/ledger/check")["ok"] is True
