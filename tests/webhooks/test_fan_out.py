"""A settlement's step is one event. Its deliveries are made after the commit, once for each owner. Protocol §9."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from clearwindow.runtime import Runtime
from clearwindow.webhooks import fan_out, store
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.receivers import Receiver, receiving
from tests.support.settlements import Testbed, stage
from tests.webhooks.support import Hooks, deliver, hooks_of

NAMES = ("exchange", "fund", "trader")
WINDOW = 10


class Day:
    """A partner and two clients, one of them with two connections. Each has one endpoint."""

    def __init__(self, testbed: Testbed, receivers: dict[str, Receiver]) -> None:
        self.testbed = testbed
        self.receivers = receivers
        network = testbed.network
        self.partner: PartnerHandle = network.partner(deposits={"ofcbtc": 1000})
        self.fund: ConnectionHandle = network.funded(self.partner, {"ofcbtc": 500}, name="fund")
        self.second: ConnectionHandle = network.connect(self.fund.client, self.partner, name="second")
        self.trader: ConnectionHandle = network.funded(self.partner, {"ofcbtc": 500}, name="trader")
        self.hooks: dict[str, Hooks] = {name: hooks_of(network, name) for name in NAMES}
        self.endpoints = {
            name: str(self.hooks[name].make(receivers[name].url)["webhookEndpoint"]["id"]) for name in NAMES
        }

    def stage(self) -> str:
        amounts = {self.fund.id: {"BTC": "-200"}, self.second.id: {"BTC": "5"}, self.trader.id: {"BTC": "7"}}
        return str(stage(self.partner, amounts)["id"])

    def events(self, **filters: object) -> list[Json]:
        found: list[Json] = ok(self.testbed.operator.get("/events", **filters))["events"]
        return found


@pytest.fixture
def day(testbed: Testbed) -> Iterator[Day]:
    with receiving() as exchange, receiving() as fund, receiving() as trader:
        yield Day(testbed, dict(zip(NAMES, (exchange, fund, trader), strict=True)))


def run(day: Day) -> None:
    day.testbed.pass_minutes(WINDOW)
    day.testbed.pass_minutes(WINDOW)


def test_each_owner_gets_each_step_once_in_its_own_view(day: Day, runtime: Runtime, dsn: str) -> None:
    settlement_id = day.stage()
    run(day)
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT type, clients FROM event WHERE subject_id = %s", [settlement_id])
        types = ["settlement.initiated", "settlement.finalizing", "settlement.completed", "balance.changed"]
        assert sorted(rows.fetchall()) == sorted((kind, 2) for kind in types)
    assert deliver(runtime) == 9
    own = {"exchange": None, "fund": sorted([day.fund.id, day.second.id]), "trader": [day.trader.id]}
    for name, connections in own.items():
        received = day.receivers[name].received
        assert [message.type for message in received] == types[:3]
        assert all(message.json["data"].get("connectionIds") == connections for message in received)
        listed = day.events(enterpriseId=name, subjectId=settlement_id)
        assert [event["type"] for event in reversed(listed)] == types
        assert [event["id"] for event in reversed(listed)][:3] == [message.id for message in received]
        assert [event["payload"] for event in reversed(listed)][:3] == [
            message.json["data"] for message in received
        ]
    ids = [message.id for name in NAMES for message in day.receivers[name].received]
    assert len(set(ids)) == len(ids)


def test_list_of_all_events_has_a_row_for_each_owner_on_any_page(day: Day) -> None:
    settlement_id = day.stage()
    run(day)
    every = day.events(pageSize=500)
    assert len([event for event in every if event["subjectId"] == settlement_id]) == 4 * len(NAMES)
    assert len({event["id"] for event in every}) == len(every)
    for size in (1, 2, 3, 7):
        pages = [day.events(pageSize=size, pageNumber=number) for number in range(len(every) // size + 2)]
        assert [event for page in pages for event in page] == every
    for filters in ({"subjectId": settlement_id}, {"types": "settlement.initiated"}):
        answer = day.testbed.operator.get("/events", pageSize=1, **filters)
        wanted = [
            event
            for event in every
            if event["subjectId"] == filters.get("subjectId", event["subjectId"])
            and event["type"] == filters.get("types", event["type"])
        ]
        assert day.events(pageSize=500, **filters) == wanted
        assert answer.headers["X-Total-Count"] == str(len(wanted))


def test_event_is_replayed_and_found_by_the_id_of_its_owner_alone(day: Day, runtime: Runtime) -> None:
    day.stage()
    assert deliver(runtime) == 3
    ids = {name: day.receivers[name].received[0].id for name in NAMES}
    for name in NAMES:
        hooks, endpoint = day.hooks[name], day.endpoints[name]
        for other in NAMES:
            answer = hooks.call("POST", f"/{endpoint}/replay", {"eventId": ids[other]})
            assert answer.status_code == (200 if other == name else 404)
        assert deliver(runtime) == 1
        first, second = day.receivers[name].received
        assert (first.id, first.body) == (second.id, second.body)
        found = hooks.deliveries(endpoint, eventIds=ids[name])
        assert [(each["eventId"], each["replayed"]) for each in found] == [(ids[name], True), (ids[name], False)]
        assert [each["eventId"] for each in hooks.attempts(endpoint, eventIds=ids[name])] == [ids[name]] * 2
        assert hooks.deliveries(endpoint, eventIds=ids["fund" if name != "fund" else "trader"]) == []


def test_range_is_replayed_in_order_without_what_is_owed_or_was_delivered(day: Day, runtime: Runtime) -> None:
    hooks, endpoint = day.hooks["trader"], day.endpoints["trader"]
    ok(hooks.call("PATCH", f"/{endpoint}", {"enabled": False}))
    # What came before has another time.
    day.testbed.pass_minutes(1)
    day.stage()
    day.testbed.pass_minutes(WINDOW)
    ok(hooks.call("PATCH", f"/{endpoint}", {"enabled": True}))
    day.testbed.pass_minutes(WINDOW)
    since = day.events(types="settlement.initiated")[0]["createdAt"]
    # The end of a range is not part of it.
    day.testbed.clock.advance(minutes=1)
    whole = {"from": since}
    assert ok(hooks.call("POST", f"/{endpoint}/replay", whole))["replayed"] == 2
    deliver(runtime)
    types = ["settlement.completed", "settlement.initiated", "settlement.finalizing"]
    assert day.receivers["trader"].types() == types
    assert ok(hooks.call("POST", f"/{endpoint}/replay", whole | {"onlyMissed": True}))["replayed"] == 0
    assert ok(hooks.call("POST", f"/{endpoint}/replay", whole))["replayed"] == 3
    assert deliver(runtime) == 3


def test_endpoint_gets_what_was_committed_while_it_was_enabled(day: Day, runtime: Runtime) -> None:
    """The deliveries of these events were not made yet when the endpoints changed."""
    hooks, endpoint = day.hooks["fund"], day.endpoints["fund"]
    day.stage()
    ok(hooks.call("PATCH", f"/{endpoint}", {"enabled": False}))
    day.testbed.pass_minutes(WINDOW)
    ok(hooks.call("PATCH", f"/{endpoint}", {"enabled": True}))
    with receiving() as late:
        hooks.make(late.url)
        day.testbed.pass_minutes(WINDOW)
        deliver(runtime)
        assert late.types() == ["settlement.completed"]
    seen = day.receivers["fund"].types()
    assert seen == ["settlement.initiated", "webhook_endpoint.changed", "settlement.completed"]
    assert day.receivers["trader"].types()[0] == "settlement.initiated"


def test_replay_follows_the_messages_whose_deliveries_were_not_made_yet(day: Day, runtime: Runtime) -> None:
    day.stage()
    deliver(runtime)
    first = day.receivers["trader"].received[0].id
    day.testbed.pass_minutes(WINDOW)
    ok(day.hooks["trader"].call("POST", f"/{day.endpoints['trader']}/replay", {"eventId": first}))
    deliver(runtime)
    assert day.receivers["trader"].types() == [
        "settlement.initiated",
        "settlement.finalizing",
        "settlement.initiated",
    ]


def test_process_that_dies_while_it_makes_deliveries_loses_and_doubles_nothing(
    day: Day, runtime: Runtime, dsn: str
) -> None:
    day.stage()
    with psycopg.connect(dsn) as connection, ThreadPoolExecutor(1) as executor:
        pid_known, may_die = threading.Event(), threading.Event()
        pids: list[int] = []

        def die() -> None:
            with runtime.transaction() as tx:
                pids.extend(tx.scalars(int, "SELECT pg_backend_pid()"))
                assert store.fan_out(tx, events=100, owners=100) > 0
                pid_known.set()
                assert may_die.wait(60)
                tx.run("SELECT 1")

        dying = executor.submit(die)
        assert pid_known.wait(60)
        waiting = threading.Thread(target=fan_out.fan_out, args=[runtime])
        waiting.start()
        connection.execute("SELECT pg_terminate_backend(%s)", [pids[0]])
        may_die.set()
        assert dying.exception(60) is not None
        waiting.join(60)
        fan_out.fan_out(runtime)
        assert connection.execute("SELECT count(*) FROM event_to_deliver").fetchone() == (0,)
    assert deliver(runtime) == 3
    assert [day.receivers[name].types() for name in NAMES] == [["settlement.initiated"]] * 3


def test_workers_that_make_deliveries_together_make_each_once(day: Day, runtime: Runtime) -> None:
    day.stage()
    run(day)
    with ThreadPoolExecutor(4) as executor:
        for done in [executor.submit(fan_out.fan_out, runtime) for _ in range(4)]:
            done.result(60)
    assert deliver(runtime) == 9


def test_database_refuses_a_second_delivery_of_an_event(day: Day, runtime: Runtime, dsn: str) -> None:
    day.stage()
    fan_out.fan_out(runtime)
    columns = "endpoint_id, enterprise_id, event_id, as_client, status, replayed, owed_since"
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(f"INSERT INTO webhook_delivery ({columns}) SELECT {columns} FROM webhook_delivery")  # noqa: S608 - columns of ours
