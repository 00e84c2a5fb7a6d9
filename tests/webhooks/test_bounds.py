"""Limits of the pump in messages and bytes, and the pruning of attempts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from secrets import token_hex
from uuid import UUID

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.events import outbox as notices
from clearwindow.events.models import Event, EventType
from clearwindow.identity.models import Member
from clearwindow.jobs.worker import Worker
from clearwindow.postgres.paging import Slice
from clearwindow.runtime import Runtime
from clearwindow.webhooks import deliveries, jobs, views
from clearwindow.webhooks.jobs import AttemptPruning
from clearwindow.webhooks.models import AttemptFilter, Claim, DeliveryFilter, DeliveryStatus
from tests.support.receivers import Receiver, answering, receiving
from tests.support.runtimes import open_runtime
from tests.webhooks.killed_process import Load, owe
from tests.webhooks.support import deliver

KEPT = timedelta(days=30)


@pytest.fixture
def runtime(dsn: str) -> Iterator[Runtime]:
    """A runtime without a server."""
    with open_runtime(dsn) as runtime:
        yield runtime


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_fewer_large_messages_are_claimed_together(runtime: Runtime, receiver: Receiver) -> None:
    owe(runtime, Load(endpoints=1, events=0, kills=0), receiver)
    sizes = [40_000, 300_000, 1_500_000, 300_000, 300_000, 300_000]
    with runtime.transaction() as tx:
        payloads = [{"externalId": token_hex(size // 2)} for size in sizes]
        initiated = EventType.SETTLEMENT_INITIATED
        notices.record(tx, [Event(initiated, "desk-0", runtime.ids.new(), each) for each in payloads])
    taken: list[int] = []
    original = deliveries.claim

    def counted_claim(runtime: Runtime, limit: int) -> list[Claim]:
        claims = original(runtime, limit)
        taken.extend(len(claim.messages) for claim in claims)
        return claims

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "claim", counted_claim)
        assert deliver(runtime) == len(sizes)
    # The third message exceeds the limit and is claimed alone.
    assert taken == [2, 1, 3]
    assert [message.json["data"] for message in receiver.received] == payloads


def test_nothing_more_is_claimed_while_claimed_messages_exceed_the_limit(
    runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(runtime, Load(endpoints=6, events=1, kills=0), receiver)
    size = len(json.dumps({"externalId": "00000"}))
    monkeypatch.setattr("clearwindow.webhooks.pump.CLAIMED_AT_ONCE", 1)
    monkeypatch.setattr("clearwindow.webhooks.pump.CHARACTERS_AT_ONCE", 2 * size)
    lock, at_once, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def counting(handler: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        both.wait(60)
        # Were there more than two, they would come now.
        time.sleep(0.1)
        with lock:
            at_once -= 1
        answering(204)(handler)

    receiver.behaviour = counting
    assert deliver(runtime) == 6
    assert most == 2


def test_attempts_are_pruned_in_batches_and_deliveries_stay(
    runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(runtime, Load(endpoints=2, events=3, kills=0), receiver)
    monkeypatch.setattr(jobs, "BATCH", 2)
    kind = AttemptPruning(KEPT.days)
    with runtime.transaction() as tx:
        assert kind.next_due_at(tx) is None
    assert deliver(runtime) == 6
    with runtime.transaction() as tx:
        tx.run(
            "UPDATE webhook_attempt SET started_at = started_at + interval '1 day'"
            " WHERE position = (SELECT max(position) FROM webhook_attempt)"
        )
        due_at = kind.next_due_at(tx)
    assert due_at is not None
    # The database's clock counts, and not that of a process, which may be ahead of it.
    ahead = replace(runtime, clock=ManualClock(due_at + timedelta(minutes=1)))
    assert kind.due(ahead, 1) == []
    assert Worker(runtime, [kind]).run_due() == 0
    with runtime.transaction() as tx:
        tx.run("UPDATE webhook_attempt SET started_at = started_at - %(by)s::interval", by=KEPT + jobs.SLACK)
    assert len(kind.due(runtime, 1)) == 1
    # Five in batches of two.
    assert Worker(runtime, [kind]).run_due() == 3
    assert kind.due(runtime, 1) == []
    member = Member("desk-0", "somebody", "request")
    there = views.endpoints_of(runtime, member, Slice(9)).items
    shown = [listed(runtime, member, each.endpoint.id) for each in there]
    assert sum(tries for tries, _ in shown) == 1
    assert [delivered for _, delivered in shown] == [3, 3]


def listed(runtime: Runtime, member: Member, endpoint_id: UUID) -> tuple[int, int]:
    """Returns how many attempts and deliveries of the endpoint are listed."""
    tries = views.attempts_of(runtime, member, endpoint_id, AttemptFilter(), Slice(9))
    delivered = DeliveryFilter(statuses=[DeliveryStatus.DELIVERED])
    done = views.deliveries_of(runtime, member, endpoint_id, delivered, Slice(9))
    return tries.total, done.total
