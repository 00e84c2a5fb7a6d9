"""A load of webhook messages whose worker is killed several times, and what the endpoints received."""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from clearwindow.runtime import Runtime
from tests.support.deliveries import make_endpoints, record_events
from tests.support.processes import running
from tests.support.receivers import Receiver
from tests.support.runtimes import SECRET_KEY

PATIENCE_SECONDS: Final = 240


@dataclass(frozen=True)
class Load:
    """The number of endpoints, of events for each endpoint, and of kills of the worker."""

    endpoints: int
    events: int
    kills: int

    @property
    def deliveries(self) -> int:
        return self.endpoints * self.events


@dataclass(frozen=True)
class Outcome:
    """What the endpoints received. ``repeated`` counts repeated messages, which are allowed."""

    received: int
    repeated: int
    missing: int
    out_of_order: int


def owe(runtime: Runtime, load: Load, receiver: Receiver) -> None:
    """Makes the load's events due to endpoints of the receiver, each with a path of its own."""
    urls = [f"{receiver.url}/{number}" for number in range(load.endpoints)]
    payloads = [{"externalId": f"{number:05}"} for number in range(load.events)]
    for enterprise_id in make_endpoints(runtime, urls):
        record_events(runtime, enterprise_id, payloads)


def deliver_and_kill(
    runtime: Runtime, dsn: str, folder: Path, load: Load, receiver: Receiver, *, wait_for_leases: bool = False
) -> None:
    """Delivers everything with several workers. Each but the last is killed during its deliveries.

    The leases of a killed worker are ended at once. With ``wait_for_leases``, those of the last one expire instead.
    """
    settings = {"secret_key": base64.b64encode(SECRET_KEY).decode(), "allow_private_addresses": "true"}
    for kill in range(load.kills):
        with running(folder, "worker", "--database-url", dsn, **settings) as worker:
            _await_received(receiver, (kill + 1) * load.deliveries // (load.kills + 1))
            worker.process.kill()
            worker.process.wait()
        if not wait_for_leases or kill + 1 < load.kills:
            _free_leases(runtime)
    with running(folder, "worker", "--database-url", dsn, **settings) as worker:
        _await_delivered(runtime)
        assert worker.end()[0] == 0


def outcome(load: Load, receiver: Receiver) -> Outcome:
    came = defaultdict[str, list[str]](list)
    for message in receiver.received:
        came[message.path].append(message.json["data"]["externalId"])
    # Only the first copy counts: a message whose delivery was not recorded is sent again.
    firsts = [list(dict.fromkeys(numbers)) for numbers in came.values()]
    received = sum(map(len, firsts))
    out_of_order = sum(1 for numbers in firsts for one, next_one in pairwise(numbers) if one > next_one)
    return Outcome(received, len(receiver.received) - received, load.deliveries - received, out_of_order)


def _await_received(receiver: Receiver, count: int) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(receiver.received) < count:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def _free_leases(runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        tx.run("UPDATE webhook_endpoint SET leased_until = %(now)s WHERE lease_id IS NOT NULL", now=tx.now())


def _await_delivered(runtime: Runtime) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        with runtime.transaction() as tx:
            listed = "SELECT count(*) FROM event_to_deliver"
            owed = "SELECT count(*) FROM webhook_delivery WHERE status = 'owed'"
            if tx.scalars(int, listed) == tx.scalars(int, owed) == [0]:
                return
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
