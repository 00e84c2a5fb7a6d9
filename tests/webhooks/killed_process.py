"""The process that delivers is killed again and again, and what endpoints received is looked through afterwards."""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from clearwindow.access import service as access
from clearwindow.access.values import Enterprise, Member, TrustOrg
from clearwindow.clock import SystemClock
from clearwindow.database.pool import Database
from clearwindow.ids import RandomIds
from clearwindow.notices import endpoints
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.outgoing.client import Outgoing
from clearwindow.runtime import Limits, Runtime
from clearwindow.vault import KEY_BYTES, Vault
from tests.support.processes import running
from tests.support.receivers import Receiver

KEY: Final = bytes(KEY_BYTES)
PATIENCE_SECONDS: Final = 240
_PER_ENTERPRISE: Final = endpoints.MAX_ENDPOINTS


@dataclass(frozen=True)
class Load:
    """How many endpoints are owed how many events each, and how often the worker is killed on the way."""

    endpoints: int
    events: int
    kills: int

    @property
    def deliveries(self) -> int:
        return self.endpoints * self.events


@dataclass(frozen=True)
class Outcome:
    """What the endpoints received: ``twice`` counts what came more than once, which it may."""

    received: int
    twice: int
    missing: int
    out_of_order: int


@contextmanager
def living(dsn: str) -> Iterator[Runtime]:
    """A runtime in the world's time, in which the process that is killed lives, too."""
    database = Database(dsn, SystemClock())
    database.open()
    yield Runtime(database, SystemClock(), RandomIds(), Limits(), Vault(KEY), None, Outgoing(allow_private=True))
    database.close()


def owe(runtime: Runtime, load: Load, receiver: Receiver) -> None:
    """Endpoints of as many enterprises as it takes, each with a path of its own at the one receiver."""
    paths = [f"{receiver.url}/{number}" for number in range(load.endpoints)]
    for start in range(0, load.endpoints, _PER_ENTERPRISE):
        enterprise_id = f"desk-{start}"
        with runtime.transaction() as tx:
            now = tx.now()
            name, trust = enterprise_id, TrustOrg.TRUST
            access.create_enterprise(
                tx, Enterprise(enterprise_id, name, trust, licensed=True, created_at=now, updated_at=now)
            )
        member = Member(enterprise_id, "somebody", "request")
        for path in paths[start : start + _PER_ENTERPRISE]:
            endpoints.create(runtime, member, endpoints.Wanted(path, None, None))
        told = [{"externalId": f"{number:05}"} for number in range(load.events)]
        with runtime.transaction() as tx:
            initiated = EventType.SETTLEMENT_INITIATED
            notices.record(tx, [Event(initiated, enterprise_id, runtime.ids.new(), each) for each in told])


def deliver_and_kill(
    runtime: Runtime, dsn: str, folder: Path, load: Load, receiver: Receiver, *, wait_for_leases: bool = False
) -> None:
    """Has everything delivered by workers of which each but the last is killed amid its deliveries.

    What a killed worker had leased is free again when its lease runs out; only after the last kill, and only with
    ``wait_for_leases``, that is waited for.
    """
    settings = {"secret_key": base64.b64encode(KEY).decode(), "allow_private_addresses": "true"}
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
    # Only the first time counts: what was delivered and not written down comes again.
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
            if tx.scalars(int, "SELECT count(*) FROM webhook_delivery WHERE status = 'owed'") == [0]:
                return
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
