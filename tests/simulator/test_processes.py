"""A sandbox of real processes: a server, and the command line that moves its clock, and is killed while it does."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psycopg
import pytest

from clearwindow.database.embedded import start_embedded
from tests.support.networks import Json, Network, ok
from tests.support.operators import OperatorClient
from tests.support.processes import COMMAND, START_TOKEN, Running, command, environment, serving_folder
from tests.support.receivers import Receiver, answering, receiving
from tests.support.settling import stage
from tests.webhooks.support import hooks_of


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A folder that root's unprivileged PostgreSQL may enter, as pytest's own are closed to all but us."""
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-test-")).resolve()
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder)


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


def held_until_killed(receiver: Receiver) -> threading.Event:
    """Has the receiver keep who delivers waiting; the event says that it does."""
    reached = threading.Event()

    def keep(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        threading.Event().wait(3)
        answering(204)(handler)

    receiver.behaviour = keep
    return reached


def test_a_killed_mover_leaves_the_clock_where_it_was_and_the_next_one_goes_on(
    operator: OperatorClient, data: Path
) -> None:
    with Network(operator) as network, receiving() as receiver:
        exchange = network.partner(dispute_window=30, top_up_window=30, deposits={"ofcbtc": 100})
        trader = network.funded(exchange, {"ofcbtc": 1000})
        stage(exchange, {trader.id: {"BTC": "-5"}}, externalId="day")
        ok(operator.post("/clock", {"advanceMinutes": 1}))
        hooks_of(network, trader.client.enterprise.id).make(receiver.url)
        reached = held_until_killed(receiver)
        before = ok(operator.get("/clock"))["now"]
        moving = ["sandbox", "clock", "--advance-minutes", "120", "--data", str(data)]
        with subprocess.Popen([*COMMAND, *moving], env=environment(), stderr=subprocess.DEVNULL) as mover:  # noqa: S603 - our own program
            assert reached.wait(30)
            mover.kill()
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


def test_the_command_line_shows_the_clock_and_empties_the_sandbox(operator: OperatorClient, data: Path) -> None:
    operator.enterprise("desk")
    shown = sandbox(data, "clock")
    assert shown["sandbox"] is True
    assert shown["now"] > shown["wall"]
    anew = sandbox(data, "reset", "--yes")
    assert anew["now"] == anew["wall"]
    assert [line["action"] for line in operator.audit_log()] == ["sandbox.reset"]
    assert operator.enterprise("desk")["id"] == "desk"


def test_a_worker_without_the_setting_refuses_a_sandbox(served: Running, data: Path) -> None:
    refused = command("worker", "--data", str(data))
    assert refused.returncode == 2
    assert refused.stderr.startswith("clearwindow: The database is a sandbox's")
    assert served.get("/readyz").status_code == 200


def free_leases(data: Path) -> None:
    """What the killed process had leased is free again after the lease; the test need not wait for that."""
    with psycopg.connect(start_embedded(data, share_running=True).dsn) as connection:
        connection.execute("UPDATE webhook_endpoint SET lease_id = NULL, leased_until = NULL")
