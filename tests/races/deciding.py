"""Races of people, partners and workers who decide about the same thing, and of pauses."""

from __future__ import annotations

from functools import partial
from typing import Final

from clearwindow.allocations.jobs import allocation_work
from clearwindow.jobs.worker import Worker
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.webhooks import deliveries, fan_out
from clearwindow.webhooks.models import Answer
from clearwindow.webhooks.pump import DeliveryPump
from tests.races.arena import PLENTY, Arena, Desk, accepted, either
from tests.support.approvals import decide, set_thresholds, thresholds_of, user
from tests.support.networks import Json, NetworkClient, new_nonce, ok, sign_body
from tests.support.partners import agreeing, silent
from tests.support.pauses import resume, try_pause
from tests.support.settlements import stage

_QUANTITY: Final = 10
_DECIDED: Final = {"approval_decided": 409}
_PAUSED: Final = {"paused": 422}


def two_decisions_on_one_allocation(arena: Arena) -> str:
    desk = arena.desk("decisions", allocation_policies=True, allocated=0)
    anna, berta = _users(arena, desk, {"ofcbtc": 0})
    before = arena.funds(desk)
    pending = ok(desk.connection.allocate("ofcbtc", _QUANTITY))["allocation"]["pendingApprovalId"]
    approved, rejected = arena.together(
        partial(decide, anna, pending, "approved"), partial(decide, berta, pending, "rejected")
    )
    outcome = either({"approved": accepted(approved, _DECIDED), "rejected": accepted(rejected, _DECIDED)})
    assert arena.funds(desk) == (before[0] + (_QUANTITY if outcome == "approved" else 0), 0)
    return outcome


def two_thresholds(arena: Arena) -> str:
    """Two users lower one threshold. If the lower one came first, the other would raise it and waits."""
    desk = arena.desk("thresholds", allocation_policies=True, allocated=0)
    anna, berta = _users(arena, desk, {"ofcbtc": PLENTY})
    now = thresholds_of(anna)["ofcbtc"]
    low, high = arena.together(
        partial(set_thresholds, anna, {"ofcbtc": now - 20}), partial(set_thresholds, berta, {"ofcbtc": now - 10})
    )
    assert ok(low)["pendingApprovals"] == []
    waiting = ok(high)["pendingApprovals"]
    assert thresholds_of(anna)["ofcbtc"] == now - 20
    for one in waiting:
        assert one["threshold"] == str(now - 20)
        ok(decide(anna, one["id"], "rejected"))
    return "the lower first" if waiting else "the higher first"


def answer_decision_and_repeat(arena: Arena) -> str:
    """The worker asks a partner again, the partner says no by itself, and the client repeats its request."""
    desk = arena.desk("asked", allocated=0, callbackUrl=arena.partner_server.url)
    _close_the_circuit(arena)
    arena.partner_server.behave = silent
    before = arena.funds(desk)
    body = desk.connection.client.enterprise.sign(desk.connection.allocation_fields("ofcbtc", _QUANTITY))
    ask = partial(desk.connection.client.api.post, f"{desk.connection.path}/allocations", body)
    asked = ask()
    assert asked.status_code == 502, asked.text
    record = asked.json()["allocation"]
    arena.partner_server.behave = agreeing
    arena.testbed.clock.advance(minutes=5)
    refuse = sign_body(_decision(desk, record), desk.partner.enterprise.account.key)
    worker = Worker(arena.testbed.runtime, [allocation_work()])
    answer, repeat, _ = arena.together(
        partial(desk.partner.api.put, "/partners/allocations", refuse), ask, worker.run_due
    )
    released = accepted(answer, {"allocation_decided": 409})
    assert repeat.status_code in {200, 422, 500, 502}, repeat.text
    # Whoever was on its way when another was faster has left nothing to do.
    worker.run_due()
    status = ok(desk.partner.api.get(f"/partners/allocations/{record['id']}"))["allocation"]["status"]
    assert status == ("released" if released else "cleared")
    assert arena.funds(desk) == (before[0] + (0 if released else _QUANTITY), 0)
    return "its own decision" if released else "its answer"


def two_workers_at_one_endpoint(arena: Arena) -> str:
    """A worker whose lease has run out records a failure, while another claims the endpoint and delivers."""
    runtime, clock = arena.testbed.runtime, arena.testbed.clock
    desk = arena.desk("hook", allocated=0)
    api = desk.connection.client.api
    if "hook" not in arena.memory:
        made = ok(api.post("/webhook-endpoints", {"url": arena.receiver.url}))["webhookEndpoint"]["id"]
        arena.memory["hook"] = made
        DeliveryPump(runtime).run_due()
    endpoint: str = arena.memory["hook"]
    event = ok(api.post(f"/webhook-endpoints/{endpoint}/test"))["eventId"]
    fan_out.fan_out(runtime)
    (slow,) = deliveries.claim(runtime, 1)
    clock.advance(minutes=2)
    late = partial(deliveries.finish, runtime, slow, [Answer(clock.now(), 1, None, "no answer")], 0.5)
    arena.together(late, DeliveryPump(runtime).run_due)
    failures = ok(api.get(f"/webhook-endpoints/{endpoint}"))["webhookEndpoint"]["failures"]
    attempts = ok(api.get(f"/webhook-endpoints/{endpoint}/attempts", pageSize=2))["attempts"]
    recorded = [one.get("statusCode") for one in attempts if event in (one.get("eventId"), one.get("messageId"))]
    clock.advance(minutes=60)
    DeliveryPump(runtime).run_due()
    assert sum(message.id == event for message in arena.receiver.received) == 1
    arena.receiver.received.clear()
    assert failures in (0, 1), failures
    return "recorded in time" if None in recorded or failures else "wrote nothing"


def commit_without_an_answer(arena: Arena) -> str:
    """A worker that lost its connection postpones the step, while another takes it."""
    desk = arena.desk("lost")
    settlement = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    before = arena.funds(desk)
    work, runtime = SettlementWork(), arena.testbed.runtime
    arena.testbed.clock.advance(minutes=10)
    (job,) = work.due(runtime, 2)
    arena.together(
        partial(work.postpone, runtime, job, "OperationalError: the connection is lost"),
        partial(work.perform, runtime, job),
    )
    state = arena.state(settlement)
    with runtime.transaction() as tx:
        attempts = tx.scalars(int, "SELECT attempts FROM settlement WHERE id = %(id)s", id=settlement)
    outcome = either({"taken": state == "top_up_window", "postponed": state == "dispute_window"})
    assert attempts == [1 if outcome == "postponed" else 0]
    arena.end_window()
    arena.end_window()
    assert arena.state(settlement) == "completed"
    assert arena.funds(desk) == (before[0], before[1] - 7)
    return outcome


def pause_and_allocation(arena: Arena) -> str:
    desk = arena.desk("pause")
    before = arena.funds(desk)
    paused, allocated = arena.together(
        partial(try_pause, arena.operator, "client", desk.connection.client.id),
        partial(desk.connection.allocate, "ofcbtc", _QUANTITY),
    )
    done = accepted(allocated, _PAUSED)
    assert arena.funds(desk) == (before[0] + (_QUANTITY if done else 0), before[1])
    resume(arena.operator, arena.second, ok(paused)["pause"]["id"])
    return "allocated" if done else "paused"


def pause_and_execution(arena: Arena) -> str:
    desk = arena.desk("paused")
    settlement = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    before = arena.funds(desk)
    arena.end_window()
    paused, _ = arena.together(partial(try_pause, arena.operator, "partner", desk.partner.id), arena.end_window)
    # What the pause did not stop has executed before it.
    executed = arena.state(settlement) == "completed"
    assert arena.work() == 0
    assert (arena.state(settlement) == "completed") is executed
    assert arena.funds(desk) == (before[0], before[1] - (7 if executed else 0))
    resume(arena.operator, arena.second, ok(paused)["pause"]["id"])
    arena.work()
    assert arena.state(settlement) == "completed"
    return "executed" if executed else "paused"


def _users(arena: Arena, desk: Desk, thresholds: dict[str, int]) -> tuple[NetworkClient, NetworkClient]:
    """Returns two more users of the client, who have set these thresholds."""
    name = f"users of {desk.connection.id}"
    if name not in arena.memory:
        enterprise = desk.connection.client.enterprise.id
        made = [user(arena.testbed.network, enterprise, f"{each}-{enterprise}") for each in ("anna", "berta")]
        ok(set_thresholds(made[0], thresholds))
        arena.memory[name] = made
    anna, berta = arena.memory[name]
    return anna, berta


def _decision(desk: Desk, record: Json) -> Json:
    """Returns a partner's own decision, by which it refuses an allocation."""
    connection = desk.connection
    return {
        "allocationId": record["id"],
        "amount": {"currency": "BTC", "quantity": str(_QUANTITY)},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": "their-client",
        "partnersConnectionId": f"theirs-{connection.id}",
        "partnersAllocationId": f"their-{record['id']}",
        "status": "released",
        "nonce": new_nonce(),
    }


def _close_the_circuit(arena: Arena) -> None:
    """Each round begins with a failed call: without this, the partner would not be called any more."""
    with arena.testbed.runtime.transaction() as tx:
        tx.connection.execute("UPDATE partner_circuit SET failures = 0, open_until = NULL")
