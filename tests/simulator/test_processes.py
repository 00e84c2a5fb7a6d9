"""A sandbox of processes: a server, and a command that moves the clock and is killed while it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psycopg
import pytest

from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.simulator.programs import Program
from clearwindow.simulator.server import data_folder, temporary_folder
from tests.support.networks import Json, Network, ok
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, Running, command, environment, serving_folder
from tests.support.receivers import Receiver, answering, receiving
from tests.support.settlements import stage
from tests.webhooks.support import hooks_of


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with temporary_folder("test") as folder:
        yield data_folder(folder)


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[Running]:
    with serving_folder(data, "--no-worker", sandbox="1") as served:
        yield served


@pytest.fixture
def operator(served: Running) -> Iterator[OperatorClient]:
    with OperatorClient(served.url, START_TOKEN) as operator:
        yield operator


def sandbox(data: Path, *arguments: str) -> Json:
    answered = command("sandbox", *arguments, "--data", str(data), "--json")
    assert answered.returncode == 0, answered.stderr
    said: Json = json.loads(answered.stdout)
    return said


def held_until_killed(receiver: Receiver) -> tuple[threading.Event, threading.Event]:
    """Makes the receiver delay its answer. One event is set when a delivery waits; the other one ends that."""
    reached, released = threading.Event(), threading.Event()

    def keep(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        released.wait(120)
        answering(204)(handler)

    receiver.behaviour = keep
    return reached, released


def test_clock_stays_when_its_mover_is_killed_and_the_next_mover_continues(
    operator: OperatorClient, data: Path
) -> None:
    with Network(operator) as network, receiving() as receiver:
        exchange = network.partner(dispute_window=30, top_up_window=30, deposits={"ofcbtc": 100})
        trader = network.funded(exchange, {"ofcbtc": 1000})
        stage(exchange, {trader.id: {"BTC": "-5"}}, externalId="day")
        ok(operator.post("/clock", {"advanceMinutes": 1}))
        hooks_of(network, trader.client.enterprise.id).make(receiver.url)
        reached, released = held_until_killed(receiver)
        before = ok(operator.get("/clock"))["now"]
        moving = ["sandbox", "clock", "--advance-minutes", "120", "--data", str(data)]
        mover = Program("mover", moving, data.parent, environment())
        mover.start()
        assert reached.wait(120)
        mover.kill()
        released.set()
        stopped = ok(operator.get("/clock"))
        assert before < stopped["now"] < stopped["target"]
        receiver.behaviour = answering(204)
        free_leases(data)
        arrived = ok(operator.post("/clock", {"now": stopped["target"]}))
        assert arrived["now"] >= stopped["target"]
        heard = list(dict.fromkeys(message.id for message in receiver.received))
        types = {message.id: message.type for message in receiver.received}
        assert [types[one] for one in heard] == ["settlement.finalizing", "settlement.completed"]
        assert operator.audit_log(action="clock.moved")[0]["details"]["to"] == stopped["target"]
        assert operator.check() == []


def test_command_shows_clock_and_resets_sandbox(operator: OperatorClient, data: Path) -> None:
    operator.enterprise("desk")
    ok(operator.post("/clock", {"advanceMinutes": 1}))
    shown = sandbox(data, "clock")
    assert shown["sandbox"] is True
    assert shown["now"] > shown["wall"]
    anew = sandbox(data, "reset", "--yes")
    assert anew["now"] == anew["wall"]
    assert [line["action"] for line in operator.audit_log()] == ["sandbox.reset"]
    assert operator.enterprise("desk")["id"] == "desk"


def test_worker_without_sandbox_setting_refuses_sandbox_database(served: Running, data: Path) -> None:
    refused = command("worker", "--data", str(data))
    assert refused.returncode == 2
    assert refused.stderr.startswith("clearwindow: The database is a sandbox, and")
    assert served.get("/readyz").status_code == 200


def free_leases(data: Path) -> None:
    """Frees the leases of the killed process, so that the test need not wait until they expire."""
    with psycopg.connect(start_embedded(data, share_running=True).dsn) as connection:
        connection.execute("UPDATE webhook_endpoint SET lease_id = NULL, leased_until = NULL")
