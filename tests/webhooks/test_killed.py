"""Killing the process that delivers loses nothing: every event arrives, at least once and in order."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

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
from tests.support.receivers import Receiver, receiving

ENDPOINTS = 4
EVENTS = 500
KILLS = 3
PATIENCE_SECONDS = 90
KEY = bytes(KEY_BYTES)


@pytest.fixture
def living(dsn: str) -> Iterator[Runtime]:
    """A runtime in the world's time, in which the process that is killed lives, too."""
    database = Database(dsn, SystemClock())
    database.open()
    yield Runtime(database, SystemClock(), RandomIds(), Limits(), Vault(KEY), None, Outgoing(allow_private=True))
    database.close()


def test_every_event_arrives_in_order_however_often_the_worker_is_killed(
    living: Runtime, dsn: str, tmp_path: Path
) -> None:
    settings = {"secret_key": base64.b64encode(KEY).decode(), "allow_private_addresses": "true"}
    with ExitStack() as stack:
        receivers = [stack.enter_context(receiving()) for _ in range(ENDPOINTS)]
        owe(living, receivers)
        for kill in range(KILLS):
            with running(tmp_path, "worker", "--database-url", dsn, **settings) as worker:
                await_received(receivers, (kill + 1) * EVENTS)
                worker.process.kill()
                worker.process.wait()
            free_leases(living)
        with running(tmp_path, "worker", "--database-url", dsn, **settings) as worker:
            await_delivered(living)
            assert worker.end()[0] == 0
        for receiver in receivers:
            numbers = [message.json["data"]["externalId"] for message in receiver.received]
            assert list(dict.fromkeys(numbers)) == [f"{number:05}" for number in range(EVENTS)]


def owe(runtime: Runtime, receivers: list[Receiver]) -> None:
    with runtime.transaction() as tx:
        now = tx.now()
        made = Enterprise("desk", "desk", TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now)
        access.create_enterprise(tx, made)
    member = Member("desk", "somebody", "request")
    wanted = [endpoints.Wanted(receiver.url, None, None) for receiver in receivers]
    ids = [endpoints.create(runtime, member, each).endpoint.id for each in wanted]
    with runtime.transaction() as tx:
        events = [
            Event(EventType.SETTLEMENT_INITIATED, "desk", ids[0], {"externalId": f"{number:05}"})
            for number in range(EVENTS)
        ]
        notices.record(tx, events)


def await_received(receivers: list[Receiver], count: int) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while sum(len(receiver.received) for receiver in receivers) < count:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def free_leases(runtime: Runtime) -> None:
    """What a killed worker had leased is free again after the lease; the test need not wait for that."""
    with runtime.transaction() as tx:
        tx.run("UPDATE webhook_endpoint SET leased_until = %(now)s WHERE lease_id IS NOT NULL", now=tx.now())


def await_delivered(runtime: Runtime) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        with runtime.transaction() as tx:
            if tx.scalars(int, "SELECT count(*) FROM webhook_delivery WHERE status = 'owed'") == [0]:
                return
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
