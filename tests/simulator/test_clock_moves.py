"""When the clock moves, due work is done in order and at its time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from uuid import uuid4

import httpx2
import pytest

from clearwindow import bootstrap
from clearwindow.cli.token_issue import command_line_operator
from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError
from clearwindow.jobs import clock
from clearwindow.jobs.clock_mover import ClockHeldUpError, Mover
from clearwindow.jobs.models import ClockMove
from clearwindow.ledger.check.service import check_ledger
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.runtime import Runtime
from clearwindow.webhooks.jobs import WebhookBacklog
from clearwindow.webhooks.pump import DeliveryPump
from clearwindow.webhooks.rules import RETRY_SECONDS
from tests.conftest import START
from tests.support.networks import ConnectionHandle, Network, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner, Reaction, Seen, agreeing
from tests.support.receivers import Receiver, answering, receiving
from tests.support.settlements import stage, try_stage
from tests.webhooks.support import Hooks, hooks_of

DAY_MINUTES = 24 * 60


def at(minutes: float) -> str:
    return wire_time(START + timedelta(minutes=minutes))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def exchange(network: Network, partner_server: FakePartner) -> PartnerHandle:
    deposits = {"ofcbtc": 10**6}
    return network.partner(callbackUrl=partner_server.url, dispute_window=10, top_up_window=30, deposits=deposits)


@pytest.fixture
def trader(network: Network, exchange: PartnerHandle) -> ConnectionHandle:
    return network.funded(exchange, {"ofcbtc": 1000})


@pytest.fixture
def hooks(network: Network, trader: ConnectionHandle, receiver: Receiver) -> Hooks:
    hooks = hooks_of(network, trader.client.enterprise.id)
    hooks.make(receiver.url)
    return hooks


def now(operator: OperatorClient) -> str:
    return str(ok(operator.get("/clock"))["now"])


def assert_proven(runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        assert check_ledger(tx) == []


def lease_endpoints(runtime: Runtime, seconds: float | None) -> None:
    """Leases all endpoints to a dead process for so many seconds; None frees them."""
    with runtime.transaction() as tx:
        until = None if seconds is None else tx.now() + timedelta(seconds=seconds)
        leased = "UPDATE webhook_endpoint SET lease_id = %(lease_id)s, leased_until = %(until)s"
        tx.run(leased, lease_id=None if until is None else uuid4(), until=until)


def test_windows_end_in_order_and_all_webhooks_arrive_before_the_clock_moves_on(
    runtime: Runtime,
    operator: OperatorClient,
    exchange: PartnerHandle,
    trader: ConnectionHandle,
    partner_server: FakePartner,
    receiver: Receiver,
    hooks: Hooks,
) -> None:
    del hooks
    first = stage(exchange, {trader.id: {"BTC": "-5"}}, externalId="first")
    ok(operator.post("/clock", {"advanceMinutes": 4}))
    second = stage(exchange, {trader.id: {"BTC": "7"}}, externalId="second")
    reports: list[tuple[str, str, str]] = []

    def take(handler: BaseHTTPRequestHandler) -> None:
        message = receiver.received[-1]
        reports.append((message.type, str(message.json["data"].get("externalId")), now(operator)))
        answering(204)(handler)

    def record(seen: Seen) -> Reaction:
        if seen.path.endswith("/finalize"):
            reports.append(("finalize", str(seen.body["externalId"]), now(operator)))
        return agreeing(seen)

    receiver.behaviour, partner_server.behave = take, record
    arrived = ok(operator.post("/clock", {"advanceMinutes": DAY_MINUTES}))
    assert arrived["now"] == at(4 + DAY_MINUTES)
    # Webhooks of the same moment have no order.
    assert sorted(reports, key=lambda one: (one[2], one[0])) == [
        ("settlement.initiated", "second", at(4)),
        ("finalize", "first", at(10)),
        ("settlement.finalizing", "first", at(10)),
        ("finalize", "second", at(14)),
        ("settlement.finalizing", "second", at(14)),
        ("settlement.completed", "first", at(40)),
        ("settlement.completed", "second", at(44)),
    ]
    assert [moment for *_, moment in reports] == sorted(moment for *_, moment in reports)
    assert [message.json["timestamp"] for message in receiver.received[-4:]] == [at(10), at(14), at(40), at(44)]
    for settlement, executed in ((first, at(40)), (second, at(44))):
        shown = ok(operator.get(f"/settlements/{settlement['id']}"))["settlement"]
        assert (shown["stage"], shown["finalizedAt"]) == ("completed", executed)
    assert_proven(runtime)


def test_failed_work_is_retried_at_its_times_up_to_the_target(
    operator: OperatorClient, exchange: PartnerHandle, trader: ConnectionHandle, receiver: Receiver, hooks: Hooks
) -> None:
    receiver.behaviour = answering(500)
    stage(exchange, {trader.id: {"BTC": "-5"}})
    ok(operator.post("/clock", {"advanceMinutes": 9}))
    (endpoint,) = ok(hooks.call("GET"))["webhookEndpoints"]
    tries = [attempt["startedAt"] for attempt in reversed(hooks.attempts(endpoint["id"]))]
    waits = [0.0, *RETRY_SECONDS]
    assert tries[0] == at(0)
    assert 3 <= len(tries) <= 5
    assert len(tries) == len(set(tries))
    assert tries[1] > wire_time(START + timedelta(seconds=0.8 * waits[1]))
    receiver.behaviour = answering(204)
    ok(operator.post("/clock", {"advanceMinutes": DAY_MINUTES}))
    assert receiver.types()[-3:] == ["settlement.initiated", "settlement.finalizing", "settlement.completed"]


def test_only_one_request_moves_the_clock_at_a_time(
    operator: OperatorClient, exchange: PartnerHandle, trader: ConnectionHandle, receiver: Receiver, hooks: Hooks
) -> None:
    del hooks
    reached, released = threading.Event(), threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        released.wait(120)
        answering(204)(handler)

    receiver.behaviour = hold
    stage(exchange, {trader.id: {"BTC": "-5"}})
    answers: list[httpx2.Response] = []
    moving = threading.Thread(target=lambda: answers.append(operator.post("/clock", {"advanceMinutes": 20})))
    moving.start()
    assert reached.wait(120)
    for refused in (operator.post("/clock", {"advanceMinutes": 1}), operator.post("/sandbox/reset")):
        assert (refused.status_code, refused.json()["name"]) == (409, "clock_moving")
        assert refused.json()["details"] == {"now": at(0), "target": at(20)}
    released.set()
    moving.join()
    assert ok(answers[0])["now"] == at(20)
    assert try_stage(exchange, {trader.id: {"BTC": "-5"}}).status_code == 200


def test_a_move_that_cannot_continue_names_the_work_and_continues_with_the_next_request(
    runtime: Runtime,
    operator: OperatorClient,
    exchange: PartnerHandle,
    trader: ConnectionHandle,
    receiver: Receiver,
    hooks: Hooks,
) -> None:
    del hooks
    lease_endpoints(runtime, 90)
    mover = Mover(runtime, bootstrap.WORK, [(WebhookBacklog(), DeliveryPump(runtime))], longest_seconds=0.2)
    assert isinstance(runtime.clock, SharedClock)
    with pytest.raises(ConflictError, match=r"and waits for work \(webhooks: 1 under way\)\. Ask") as held_up:
        mover.move(runtime.clock, START + timedelta(hours=2), lambda _: None)
    details = {"now": at(0), "target": at(120), "due": [], "underWay": {"webhooks": 1}}
    assert held_up.value.details == details
    stage(exchange, {trader.id: {"BTC": "-5"}})
    lease_endpoints(runtime, None)
    ok(operator.post("/clock", {"now": at(120)}))
    assert receiver.types()[-3:] == ["settlement.initiated", "settlement.finalizing", "settlement.completed"]


def test_a_waiting_move_reports_the_work_it_waits_for_and_reaches_the_target(
    runtime: Runtime, hooks: Hooks, operator: OperatorClient
) -> None:
    del hooks
    mover = Mover(runtime, bootstrap.WORK, [(WebhookBacklog(), DeliveryPump(runtime))], longest_seconds=0.3)
    ada = command_line_operator(runtime)
    reports: list[object] = []

    def free(error: ClockHeldUpError) -> None:
        reports.append(error.awaited)
        if len(reports) == 3:
            lease_endpoints(runtime, None)

    lease_endpoints(runtime, 90)
    asked = ClockMove(minutes=Decimal(120))
    reached = clock.reach(runtime, ada, asked, mover, lambda _: None, free)
    assert wire_time(reached.now) == at(120)
    assert reports == [["webhooks: 1 under way"]] * 3
    assert len(operator.audit_log(action="clock.moved")) == 1, "it goes on to the same moment"

    reports.clear()
    lease_endpoints(runtime, 90)
    with pytest.raises(ConflictError, match="waits for work"):
        clock.reach(runtime, ada, asked, mover, lambda _: None, lambda error: reports.append(error.name))
    assert reports == ["clock_held_up"] * (clock.MAX_FAILED_MOVES - 1)


def test_a_server_that_stops_ends_a_move(
    runtime: Runtime, exchange: PartnerHandle, trader: ConnectionHandle, receiver: Receiver, hooks: Hooks
) -> None:
    del hooks
    mover = bootstrap.build_mover(runtime)

    def end(handler: BaseHTTPRequestHandler) -> None:
        mover.stop()
        answering(204)(handler)

    receiver.behaviour = end
    stage(exchange, {trader.id: {"BTC": "-5"}})
    assert isinstance(runtime.clock, SharedClock)
    with pytest.raises(
        ConflictError, match=r"^the server is stopping: the clock stands at 2026-01-05T12:00:00\.000Z"
    ):
        mover.move(runtime.clock, START + timedelta(days=1), lambda _: None)
    assert len(receiver.received) == 1
