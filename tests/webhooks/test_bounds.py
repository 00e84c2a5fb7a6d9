"""What the pump holds at a time is bounded, in number and in bytes; what was tried is kept for a while."""

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

from clearwindow.access.values import Member
from clearwindow.clock import ManualClock
from clearwindow.notices import deliveries, endpoints, pruning
from clearwindow.notices import service as notices
from clearwindow.notices.pruning import AttemptPruning
from clearwindow.notices.values import Event, EventType
from clearwindow.notices.webhooks import Claim
from clearwindow.runtime import Runtime
from clearwindow.work.worker import Worker
from tests.support.receivers import Receiver, answering, receiving
from tests.webhooks.killing import Load, living, owe
from tests.webhooks.support import deliver

KEPT = timedelta(days=30)


@pytest.fixture
def runtime(dsn: str) -> Iterator[Runtime]:
    """No server is needed here."""
    with living(dsn) as runtime:
        yield runtime


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_of_large_messages_fewer_are_taken_at_once(runtime: Runtime, receiver: Receiver) -> None:
    owe(runtime, Load(endpoints=1, events=0, kills=0), receiver)
    sizes = [40_000, 300_000, 1_500_000, 300_000, 300_000, 300_000]
    with runtime.transaction() as tx:
        told = [{"externalId": token_hex(size // 2)} for size in sizes]
        initiated = EventType.SETTLEMENT_INITIATED
        notices.record(tx, [Event(initiated, "desk-0", runtime.ids.new(), each) for each in told])
    taken: list[int] = []
    original = deliveries.claim

    def noting(runtime: Runtime, limit: int) -> list[Claim]:
        claims = original(runtime, limit)
        taken.extend(len(claim.messages) for claim in claims)
        return claims

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "claim", noting)
        assert deliver(runtime) == len(sizes)
    # The third alone is larger than what is taken of all, and is taken alone.
    assert taken == [2, 1, 3]
    assert [message.json["data"] for message in receiver.received] == told


def test_nothing_more_is_taken_while_much_is_in_hand(
    runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(runtime, Load(endpoints=6, events=1, kills=0), receiver)
    size = len(json.dumps({"externalId": "00000"}))
    monkeypatch.setattr("clearwindow.notices.pump.CLAIMED_AT_ONCE", 1)
    monkeypatch.setattr("clearwindow.notices.pump.CHARACTERS_AT_ONCE", 2 * size)
    lock, at_once, most = threading.Lock(), 0, 0

    def counting(handler: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
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
    monkeypatch.setattr(pruning, "BATCH", 2)
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
    early = replace(runtime, clock=ManualClock(due_at - timedelta(seconds=1)))
    assert kind.due(early, 1) == []
    assert Worker(early, [kind]).run_due() == 0
    late = replace(runtime, clock=ManualClock(due_at + timedelta(minutes=1)))
    assert len(kind.due(late, 1)) == 1
    # Five in batches of two.
    assert Worker(late, [kind]).run_due() == 3
    assert kind.due(late, 1) == []
    member = Member("desk-0", "somebody", "request")
    there = endpoints.all_of(runtime, member, limit=9, offset=0).items
    shown = [kept(runtime, member, each.endpoint.id) for each in there]
    assert sum(tries for tries, _ in shown) == 1
    assert [delivered for _, delivered in shown] == [3, 3]


def kept(runtime: Runtime, member: Member, endpoint_id: UUID) -> tuple[int, int]:
    """How many attempts and deliveries of the endpoint can be looked at."""
    page = {"event_ids": None, "limit": 9, "offset": 0}
    tries = endpoints.attempts(runtime, member, endpoint_id, succeeded=None, **page)  # type: ignore[arg-type]
    done = endpoints.deliveries(runtime, member, endpoint_id, statuses=["delivered"], **page)  # type: ignore[arg-type]
    return tries.total, done.total
