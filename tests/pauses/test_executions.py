"""Windows go on during a pause. Executions wait for its end, and run in the order of their deadlines."""

from __future__ import annotations

import threading
from typing import Final
from uuid import UUID

import pytest

from clearwindow.bootstrap import WORK
from clearwindow.jobs.backlog import backlogs
from clearwindow.jobs.worker import Worker
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import Settlement
from tests.pauses.conftest import World
from tests.pauses.test_operations import TARGETS
from tests.support.chains import PATH as ONCHAIN
from tests.support.networks import Json, NetworkClient, ok
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner, Reaction, Seen, agreeing, silent
from tests.support.pauses import pause, resume, try_resume
from tests.support.races import TIMEOUT_SECONDS
from tests.support.settlements import Testbed, dispute, fields_at_once, stage, try_settle

SINCE: Final = "2026-01-05T12:00:00.000Z"


def work_of(world: World, settlement_id: str) -> str:
    found = ok(world.operator.get("/work", pageSize=500))["work"]
    (status,) = [item["status"] for item in found if settlement_id in item.values()]
    return str(status)


def backlog(world: World) -> tuple[int, float]:
    found = backlogs(world.testbed.runtime, WORK).values()
    return sum(each.due for each in found), max(each.overdue_seconds for each in found)


@pytest.mark.parametrize("target", TARGETS)
def test_execution_waits_for_the_end_of_a_pause(world: World, target: str) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5", "ETH": "3"}})
    paused = pause(world.operator, *world.subject(target))
    world.testbed.pass_minutes(11)
    assert world.testbed.state(staged["id"]) == "top_up_window"
    world.testbed.pass_minutes(60)
    assert world.testbed.state(staged["id"]) == "top_up_window"
    assert work_of(world, staged["id"]) == "paused"
    assert backlog(world) == (0, 0)
    assert world.connection.balances()["ofcbtc"] == (995, 5)
    resume(world.operator, world.second, paused["id"])
    assert backlog(world)[0] == 1
    world.testbed.run_due()
    assert world.testbed.state(staged["id"]) == "completed"
    assert world.connection.balances()["ofcbtc"] == (995, 0)
    world.testbed.assert_proven()


def test_views_say_since_when_a_settlement_waits(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    path = f"/settlements/{staged['id']}"
    views: list[tuple[OperatorClient | NetworkClient, str, str]] = [(world.operator, path, "/settlements")]
    views += [(world.exchange.api, f"/partners{path}", "/partners/settlements")]
    views += [(world.connection.client.api, f"/clients{path}", "/clients/settlements")]

    def shown() -> set[object]:
        each = [ok(api.get(one))["settlement"] for api, one, _ in views]
        listed = [ok(api.get(many))["settlements"][0] for api, _, many in views]
        return {view.get("pausedSince") for view in each + listed}

    assert shown() == {None}
    paused = pause(world.operator, "client", world.connection.client.id)
    assert shown() == {SINCE}
    resume(world.operator, world.second, paused["id"])
    assert shown() == {None}


def test_what_waited_runs_in_the_order_of_its_deadlines(world: World) -> None:
    paused_by_minute: list[str] = []
    first = stage(world.exchange, {world.connection.id: {"BTC": "-1"}})
    world.testbed.clock.advance(minutes=1)
    second = stage(world.exchange, {world.connection.id: {"BTC": "-2"}})
    world.testbed.clock.advance(minutes=1)
    third = stage(world.exchange, {world.connection.id: {"BTC": "-3"}})
    paused_by_minute += [pause(world.operator, "network")["id"]]
    world.testbed.pass_minutes(100)
    resume(world.operator, world.second, paused_by_minute[0])
    world.testbed.run_due()
    events = ok(world.operator.get("/events", enterpriseId=world.exchange.enterprise.id, pageSize=500))["events"]
    completed = [event["subjectId"] for event in reversed(events) if event["type"] == "settlement.completed"]
    assert completed == [first["id"], second["id"], third["id"]]


def test_settlement_without_what_is_paused_executes_meanwhile(world: World) -> None:
    network = world.testbed.network
    other = network.connect(network.client("other", deposits={"ofcbtc": 100}), world.exchange)
    ok(other.allocate("ofcbtc", 100))
    first = stage(world.exchange, {world.connection.id: {"BTC": "-1"}})
    both = stage(world.exchange, {world.connection.id: {"BTC": "-1"}, other.id: {"BTC": "-1"}})
    alone = stage(world.exchange, {other.id: {"BTC": "-1"}})
    pause(world.operator, "client", world.connection.client.id)
    world.testbed.pass_minutes(11)
    world.testbed.pass_minutes(11)
    states = [world.testbed.state(one["id"]) for one in (first, both, alone)]
    assert states == ["top_up_window", "top_up_window", "completed"]


def test_batch_leaves_out_what_is_paused_and_runs_it_in_the_order_of_deadlines(world: World) -> None:
    network = world.testbed.network
    other = network.connect(network.client("other", deposits={"ofcbtc": 100}), world.exchange)
    ok(other.allocate("ofcbtc", 100))
    made: list[str] = []
    for _ in range(3):
        for connection in (world.connection, other):
            made.append(stage(world.exchange, {connection.id: {"BTC": "-1"}})["id"])
            world.testbed.clock.advance(minutes=0.1)
    paused = pause(world.operator, "client", world.connection.client.id)
    world.testbed.pass_minutes(11)
    world.testbed.pass_minutes(11)
    assert [world.testbed.state(each) for each in made] == ["top_up_window", "completed"] * 3
    later: list[str] = []
    for _ in range(2):
        later.append(stage(world.exchange, {other.id: {"BTC": "-1"}})["id"])
        # Those of one moment have no order.
        world.testbed.clock.advance(minutes=0.1)
    world.testbed.clock.advance(minutes=11)
    resume(world.operator, world.second, paused["id"])
    world.testbed.run_due()
    world.testbed.pass_minutes(11)
    events = ok(world.operator.get("/events", enterpriseId=world.exchange.enterprise.id, pageSize=500))["events"]
    completed = [event["subjectId"] for event in reversed(events) if event["type"] == "settlement.completed"]
    assert completed == [*made[1::2], *made[::2], *later]
    world.testbed.assert_proven()


def test_pause_that_comes_after_a_batch_was_found_stops_its_executions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [stage(world.exchange, {world.connection.id: {"BTC": "-1"}})["id"] for _ in range(3)]
    world.testbed.pass_minutes(10)
    assert {world.testbed.state(each) for each in made} == {"top_up_window"}
    find, paused = settlements.lock_due, list[str]()

    def pause_after(tx: Transaction, partner_id: UUID, limit: int) -> list[Settlement]:
        found = find(tx, partner_id, limit)
        if found and not paused:
            paused.append(pause(world.operator, "client", world.connection.client.id)["id"])
        return found

    monkeypatch.setattr(settlements, "lock_due", pause_after)
    world.testbed.pass_minutes(11)
    assert len(paused) == 1
    assert {world.testbed.state(each) for each in made} == {"top_up_window"}
    assert world.connection.balances()["ofcbtc"] == (997, 3)
    resume(world.operator, world.second, paused[0])
    world.testbed.run_due()
    assert {world.testbed.state(each) for each in made} == {"completed"}


def test_failed_settlement_is_not_tried_again_during_a_pause(world: World) -> None:
    body = world.at_once.partner.enterprise.sign(fields_at_once({world.at_once.id: {"BTC": str(10**6)}}))
    failed = world.at_once.partner.api.post("/partners/settlements", body)
    assert failed.status_code == 401
    ok(world.operator.move("deposits", world.at_once.partner.enterprise.account.id, "ofcbtc", 10**6))
    paused = pause(world.operator, "currency", "ofcbtc")
    again = world.at_once.partner.api.post("/partners/settlements", body)
    assert (again.status_code, again.json()["settlement"]["status"]) == (401, "failed")
    retry = f"/settlements/{failed.json()['settlement']['id']}/retry"
    refused = world.operator.post(retry)
    assert (refused.status_code, refused.json()["name"]) == (422, "paused")
    resume(world.operator, world.second, paused["id"])
    assert ok(world.operator.post(retry))["settlement"]["status"] == "completed"


def test_rejection_stays_possible_and_gives_back_what_was_held(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    pause(world.operator, "partner", world.exchange.id)
    ok(world.operator.post(f"/settlements/{staged['id']}/reject", {"reason": "the partner's key was stolen"}))
    assert world.connection.balances()["ofcbtc"] == (1_000, 0)
    ok(world.connection.deallocate("ofcbtc", 1_000))


def test_closures_of_a_rejected_settlement_wait(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    raised = ok(dispute(world.connection, staged["id"]))["dispute"]
    world.testbed.pass_minutes(11)
    closing = {"adjustedTransfers": {"ofcbtc": "-2"}, "notes": "two of them"}
    closure = ok(world.operator.post(f"/disputes/{raised['id']}/close", closing))["disputeClosure"]
    approval = {"decision": "approved", "notes": "as the trades say"}
    ok(world.second.post(f"/dispute-closures/{closure['id']}/review", approval))
    taking = stage(world.exchange, {world.connection.id: {"BTC": "-1"}})
    rejection = {"reason": "a wrong file"}
    assert world.operator.post(f"/settlements/{taking['id']}/reject", rejection).status_code == 202
    paused = pause(world.operator, "network")
    ok(world.second.post(f"/settlements/{taking['id']}/reject", rejection))
    world.testbed.pass_minutes(60)
    assert world.connection.balances()["ofcbtc"] == (998, 2)
    resume(world.operator, world.second, paused["id"])
    world.testbed.run_due()
    assert world.connection.balances()["ofcbtc"] == (998, 0)
    world.testbed.assert_proven()


def test_chain_gets_no_payment_during_a_pause_and_is_asked_about_those_it_has(world: World) -> None:
    chain = world.operator.get
    amounts = {world.connection.id: {"BTC": "-5"}}
    fields: Json = {"externalId": "one", "settlementAmounts": amounts}
    first = world.exchange.api.post(ONCHAIN, world.exchange.enterprise.sign(fields)).json()["settlement"]
    world.testbed.run_due()
    assert len(ok(chain("/chain/transactions"))["transactions"]) == 1
    second = world.exchange.api.post(ONCHAIN, world.exchange.enterprise.sign({**fields, "externalId": "two"}))
    paused = pause(world.operator, "partner", world.exchange.id)
    for _ in range(3):
        world.testbed.pass_minutes(1)
    assert len(ok(chain("/chain/transactions"))["transactions"]) == 1
    # What the chain had before is booked, and nothing more is done.
    assert world.connection.balances()["ofcbtc"] == (990, 5)
    assert world.testbed.state(first["id"]) == "onchain"
    assert backlog(world) == (0, 0)
    resume(world.operator, world.second, paused["id"])
    for _ in range(3):
        world.testbed.run_due()
        world.testbed.pass_minutes(1)
    assert world.testbed.state(first["id"]) == "completed"
    assert world.testbed.state(second.json()["settlement"]["id"]) == "completed"
    assert world.connection.balances()["ofcbtc"] == (990, 0)
    world.testbed.assert_proven()


@pytest.mark.parametrize("what", ["allocation", "deallocation"])
def test_question_to_a_partner_waits(testbed: Testbed, partner_server: FakePartner, what: str) -> None:
    partner = testbed.network.partner(callbackUrl=partner_server.url)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 100}), partner)
    ok(connection.allocate("ofcbtc", 50))
    partner_server.behave = silent
    send = connection.allocate if what == "allocation" else connection.deallocate
    assert send("ofcbtc", 30).status_code == 502
    paused = pause(testbed.operator, "client", connection.client.id)
    partner_server.behave = agreeing
    partner_server.seen.clear()
    testbed.pass_minutes(60)
    assert partner_server.asked(f"/{what}s") == []
    held = (20, 30) if what == "allocation" else (50, 0)
    assert connection.go_balances()["ofcbtc"] == held
    with testbed.operator.another() as second:
        resume(testbed.operator, second, paused["id"])
    testbed.run_due()
    moved = (20, 0) if what == "allocation" else (80, 0)
    assert connection.go_balances()["ofcbtc"] == moved
    testbed.assert_proven()


@pytest.mark.parametrize("what", ["allocation", "deallocation"])
def test_yes_that_comes_during_a_pause_moves_nothing_until_it_is_resumed(
    testbed: Testbed, partner_server: FakePartner, what: str
) -> None:
    partner = testbed.network.partner(callbackUrl=partner_server.url)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 100}), partner)
    ok(connection.allocate("ofcbtc", 50))
    paused: list[str] = []

    def pausing(seen: Seen) -> Reaction:
        if seen.path.endswith(f"/{what}s") and not paused:
            paused.append(pause(testbed.operator, "network")["id"])
        return agreeing(seen)

    partner_server.behave = pausing
    send = connection.allocate if what == "allocation" else connection.deallocate
    answer = send("ofcbtc", 30)
    assert answer.status_code in (500, 502)
    assert answer.json()[what]["status"] == "reserved"
    before = connection.go_balances(), connection.balances()
    testbed.pass_minutes(10)
    assert (connection.go_balances(), connection.balances()) == before
    with testbed.operator.another() as second:
        resume(testbed.operator, second, paused[0])
    testbed.run_due()
    assert connection.balances()["ofcbtc"] == ((80, 0) if what == "allocation" else (20, 0))
    testbed.assert_proven()


def test_partners_own_decision_waits_and_its_refusal_does_not(testbed: Testbed) -> None:
    partner = testbed.network.partner(asyncAllocations=True)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 100}), partner)
    made = [ok(connection.allocate("ofcbtc", quantity))["allocation"] for quantity in (10, 20)]
    pause(testbed.operator, "currency", "ofcbtc")

    def decide(allocation: Json, status: str) -> tuple[int, str | None]:
        fields = {
            "allocationId": allocation["id"],
            "amount": {"currency": "BTC", "quantity": allocation["amount"]["quantity"]},
            "clientId": connection.client.id,
            "connectionId": connection.id,
            "partnersClientId": connection.client.id,
            "partnersConnectionId": connection.id,
            "partnersAllocationId": "theirs",
            "status": status,
        }
        answer = partner.api.put("/partners/allocations", partner.enterprise.sign(fields))
        return answer.status_code, answer.json().get("name")

    assert decide(made[0], "cleared") == (422, "paused")
    assert decide(made[1], "released") == (200, None)
    assert connection.go_balances()["ofcbtc"] == (90, 10)


def test_running_worker_rests_while_everything_is_paused_and_executes_at_once_afterwards(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    paused = pause(world.operator, "network")
    world.testbed.clock.advance(minutes=11)
    worker = Worker(world.testbed.runtime, WORK, poll_seconds=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for_state(world, staged["id"], "top_up_window")
        world.testbed.clock.advance(minutes=60)
        # Several looks for work come and go: it is found by none of them.
        try_settle(world.at_once.partner, {world.at_once.id: {"BTC": "-5"}})
        assert world.testbed.state(staged["id"]) == "top_up_window"
        resume(world.operator, world.second, paused["id"])
        wait_for_state(world, staged["id"], "completed")
    finally:
        worker.stop()
        thread.join(TIMEOUT_SECONDS)


def wait_for_state(world: World, settlement_id: str, state: str) -> None:
    waiting = threading.Event()
    for _ in range(TIMEOUT_SECONDS * 10):
        if world.testbed.state(settlement_id) == state:
            return
        waiting.wait(0.1)
    raise AssertionError(f"the settlement did not become {state}")


@pytest.mark.usefixtures("two_needed")
def test_one_operator_alone_resumes_nothing(world: World) -> None:
    staged = stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    paused = pause(world.operator, "network")
    world.testbed.pass_minutes(11)
    assert try_resume(world.operator, paused["id"]).status_code == 202
    assert try_resume(world.operator, paused["id"]).status_code == 202
    world.testbed.pass_minutes(60)
    assert world.testbed.state(staged["id"]) == "top_up_window"
