"""Allocations above the threshold wait for a second user of the enterprise. Protocol §4."""

from __future__ import annotations

import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from tests.support.approvals import APPROVALS, decide, refusal, set_thresholds, user, waiting
from tests.support.networks import ConnectionHandle, Json, Network, NetworkClient, PartnerHandle, ok
from tests.support.settlements import Testbed
from tests.support.snapshots import snapshot

WAITS = "it waits for the approval of another user of the enterprise"
NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


@pytest.fixture
def threshold(connection: ConnectionHandle) -> int:
    """A threshold of 100 ofcbtc, set by the member that allocates."""
    ok(set_thresholds(connection.client.api, {"ofcbtc": 100}))
    return 100


@pytest.fixture
def reserved(connection: ConnectionHandle, threshold: int) -> Json:
    """A pending allocation of 300."""
    allocation: Json = ok(connection.allocate("ofcbtc", 3 * threshold, notes="for trading"))["allocation"]
    return allocation


def held(connection: ConnectionHandle) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns (available, held) of the Go Account and of the network account."""
    return connection.go_balances()["ofcbtc"], connection.balances().get("ofcbtc", (0, 0))


def seen_by_all(connection: ConnectionHandle, allocation_id: str) -> list[Json]:
    """Returns the allocation as all reads show it, without the fields that only one side sees."""
    client, partner = connection.client.api, connection.partner.api
    views = [
        ok(client.get(f"/clients/allocations/{allocation_id}"))["allocation"],
        ok(partner.get(f"/partners/allocations/{allocation_id}"))["allocation"],
        *ok(client.get("/clients/allocations", allocationIds=allocation_id))["allocations"],
        *ok(partner.get("/partners/allocations", allocationIds=allocation_id))["allocations"],
    ]
    return [{name: value for name, value in view.items() if name not in {"amount", "notes"}} for view in views]


def test_allocation_above_the_threshold_is_held_and_waits(
    connection: ConnectionHandle, reserved: Json, testbed: Testbed
) -> None:
    assert (reserved["status"], reserved["retriable"], reserved["reason"]) == ("reserved", False, WAITS)
    assert "policyResult" not in reserved
    assert held(connection) == ((700, 300), (0, 0))
    shown = {name: value for name, value in reserved.items() if name not in {"amount", "notes"}}
    assert seen_by_all(connection, reserved["id"]) == [{**shown, "type": "allocation"}] * 4
    [pending] = waiting(connection.client.api)
    assert pending == {
        "id": reserved["pendingApprovalId"],
        "type": "allocation",
        "status": "pending",
        "allocationId": reserved["id"],
        "partnerId": connection.partner.id,
        "currency": "ofcbtc",
        "quantity": "300",
        "threshold": "100",
        "initiatedBy": "user-of-trader",
        "createdAt": reserved["createdAt"],
        "updatedAt": reserved["createdAt"],
    }
    testbed.clock.advance(minutes=60 * 24 * 365)
    testbed.run_due()
    assert held(connection) == ((700, 300), (0, 0))
    testbed.assert_proven()


def test_allocation_without_need_of_approval_clears_at_once(
    network: Network, connection: ConnectionHandle, threshold: int
) -> None:
    at = ok(connection.allocate("btc", threshold))["allocation"]
    without = ok(connection.allocate("ofcbtc", 1))["allocation"]
    for allocation in (at, without):
        assert (allocation["status"], allocation["policyResult"]) == ("cleared", "approved")
        assert "pendingApprovalId" not in allocation
    assert at["evaluationId"] != without["evaluationId"]
    back = ok(connection.deallocate("ofcbtc", threshold + 1))["deallocation"]
    assert back["status"] == "cleared"
    elsewhere = network.connect(connection.client, network.partner("no-policies"))
    free = ok(elsewhere.allocate("ofcbtc", 500))["allocation"]
    assert free["status"] == "cleared"
    assert not {"evaluationId", "policyResult", "pendingApprovalId"} & {*back, *free}
    other = network.connect(network.client("other", deposits={"ofcbtc": 500}), connection.partner)
    assert ok(other.allocate("ofcbtc", 500))["allocation"]["status"] == "cleared"
    assert waiting(connection.client.api) == []


def test_insufficient_funds_are_refused_without_an_approval(connection: ConnectionHandle, threshold: int) -> None:
    refused = connection.allocate("ofcbtc", 10 * threshold + 1)
    assert refusal(refused) == (422, "insufficient_funds")
    assert "evaluationId" not in refused.json()["allocation"]
    assert waiting(connection.client.api) == []


def test_approved_allocation_continues(
    connection: ConnectionHandle, reserved: Json, anna: NetworkClient, testbed: Testbed
) -> None:
    testbed.clock.advance(minutes=5)
    answer = ok(decide(anna, reserved["pendingApprovalId"], "approved", "as agreed"))
    assert (answer["pendingApproval"]["status"], answer["pendingApproval"]["decidedBy"]) == ("approved", "anna")
    allocation = answer["allocation"]
    assert allocation == {
        **reserved,
        "status": "cleared",
        "reason": None,
        "policyResult": "approved",
        "updatedAt": "2026-01-05T12:05:00.000Z",
        "type": "allocation",
    }
    shown = {name: value for name, value in allocation.items() if name not in {"amount", "notes"}}
    assert seen_by_all(connection, reserved["id"]) == [shown] * 4
    assert held(connection) == ((700, 0), (300, 0))
    again = decide(anna, reserved["pendingApprovalId"], "approved", "as agreed")
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (answer, "true")
    assert held(connection) == ((700, 0), (300, 0))
    testbed.assert_proven()


@pytest.mark.parametrize("who", ["another", "the requester"])
def test_rejected_allocation_is_released(
    connection: ConnectionHandle, reserved: Json, anna: NetworkClient, testbed: Testbed, who: str
) -> None:
    decider = anna if who == "another" else connection.client.api
    answer = ok(decide(decider, reserved["pendingApprovalId"], "rejected", "too much"))
    allocation = answer["allocation"]
    assert (allocation["status"], allocation["policyResult"]) == ("released", "rejected")
    assert allocation["retriable"] is False
    assert held(connection) == ((1000, 0), (0, 0))
    assert "too much" not in allocation["reason"]
    kinds = {entry["kind"] for entry in testbed.operator.entries(causeId=reserved["id"])}
    assert kinds == {"allocation_reserved", "allocation_released"}
    testbed.assert_proven()


def test_identical_repeat_returns_the_current_state(
    connection: ConnectionHandle, threshold: int, anna: NetworkClient
) -> None:
    path, api = f"{connection.path}/allocations", connection.client.api
    bodies = [
        connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", threshold + 1)) for _ in range(2)
    ]
    firsts = [ok(api.post(path, body))["allocation"] for body in bodies]
    for body, first in zip(bodies, firsts, strict=True):
        again = api.post(path, body)
        assert (ok(again)["allocation"], again.headers["Idempotent-Replayed"]) == (first, "true")
    assert held(connection) == ((798, 202), (0, 0))
    assert len(waiting(api)) == 2
    ok(decide(anna, firsts[0]["pendingApprovalId"], "approved"))
    ok(decide(anna, firsts[1]["pendingApprovalId"], "rejected"))
    cleared, released = (api.post(path, body) for body in bodies)
    assert (cleared.status_code, cleared.json()["allocation"]["status"]) == (200, "cleared")
    assert refusal(released) == (422, "approval_rejected")
    assert released.json()["allocation"]["policyResult"] == "rejected"


def test_requester_cannot_approve(
    network: Network, connection: ConnectionHandle, reserved: Json, runtime: Runtime
) -> None:
    """Neither with another token, nor as a member of another enterprise."""
    second_token = user(network, "trader", "user-of-trader")
    before = snapshot(runtime.database.dsn)
    for api in (connection.client.api, second_token):
        refused = decide(api, reserved["pendingApprovalId"], "approved")
        assert refusal(refused) == (403, "own_approval")
    assert snapshot(runtime.database.dsn) == before
    for api in (connection.partner.api, user(network, "exchange", "user-of-trader")):
        assert refusal(decide(api, reserved["pendingApprovalId"], "approved")) == (404, "approval_unknown")
        assert refusal(api.get(f"{APPROVALS}/{reserved['pendingApprovalId']}")) == (404, "approval_unknown")
    assert held(connection) == ((700, 300), (0, 0))


def test_changed_threshold_applies_to_later_allocations_only(
    connection: ConnectionHandle, reserved: Json, anna: NetworkClient
) -> None:
    [change] = ok(set_thresholds(connection.client.api, {"ofcbtc": None}))["pendingApprovals"]
    assert ok(connection.allocate("ofcbtc", 101))["allocation"]["status"] == "reserved"
    ok(decide(anna, change["id"], "approved"))
    free = ok(connection.allocate("ofcbtc", 102))["allocation"]
    assert (free["status"], free["policyResult"]) == ("cleared", "approved")
    assert sorted(one["quantity"] for one in waiting(anna)) == ["101", "300"]
    ok(decide(anna, reserved["pendingApprovalId"], "approved"))
    assert held(connection) == ((497, 101), (402, 0))


@pytest.mark.parametrize("stopped", ["client", "partner", "connection"])
def test_approved_allocation_of_a_deactivated_party_is_released(
    network: Network, connection: ConnectionHandle, reserved: Json, anna: NetworkClient, stopped: str
) -> None:
    if stopped == "client":
        ok(network.operator.patch(f"/clients/{connection.client.id}", {"active": False}))
    elif stopped == "partner":
        ok(network.operator.patch(f"/partners/{connection.partner.id}", {"active": False}))
    else:
        ok(connection.client.api.put(connection.path, {"active": False}))
    allocation = ok(decide(anna, reserved["pendingApprovalId"], "approved"))["allocation"]
    assert (allocation["status"], allocation["policyResult"]) == ("released", "approved")
    assert f"the {stopped} is inactive" in allocation["reason"]
    assert held(connection) == ((1000, 0), (0, 0))
    assert network.operator.check() == []


def test_held_funds_cannot_be_spent(network: Network, connection: ConnectionHandle, reserved: Json) -> None:
    assert reserved["status"] == "reserved"
    assert refusal(connection.allocate("ofcbtc", 701)) == (422, "insufficient_funds")
    account = connection.client.enterprise.account.id
    assert network.operator.move("withdrawals", account, "ofcbtc", 701, None).status_code == 422
    assert refusal(connection.deallocate("ofcbtc", 1)) == (422, "insufficient_funds")
    assert held(connection) == ((700, 300), (0, 0))
    assert network.operator.check() == []


def test_only_the_enterprise_gets_events_of_its_approvals(
    network: Network, connection: ConnectionHandle, reserved: Json, anna: NetworkClient
) -> None:
    ok(decide(anna, reserved["pendingApprovalId"], "approved", "internal reasons"))

    def events_of(enterprise_id: str) -> list[str]:
        events = network.operator.events(enterpriseId=enterprise_id)
        setup = {"connection.created", "member.added", "partner.updated", "threshold.changed"}
        return [event["type"] for event in reversed(events) if event["type"] not in setup]

    assert events_of("trader") == [
        "balance.changed",
        "allocation.reserved",
        "approval.requested",
        "approval.approved",
        "allocation.cleared",
        "balance.changed",
    ]
    assert events_of("exchange") == ["allocation.reserved", "allocation.cleared"]
    assert "internal reasons" not in str(network.operator.events(enterpriseId="exchange"))
    assert "anna" not in str(seen_by_all(connection, reserved["id"])[1])
    [record] = network.operator.audit_log(subjectId=reserved["pendingApprovalId"], action="approval.approved")
    assert (record["actorId"], record["details"]) == (
        "anna",
        {"kind": "allocation", "notes": "internal reasons", "initiatedBy": "user-of-trader"},
    )


def test_approvals_are_filtered_and_paged(
    connection: ConnectionHandle, threshold: int, anna: NetworkClient, clock: ManualClock
) -> None:
    client = connection.client.api
    ok(set_thresholds(client, {"ofceth": 5}))
    made = []
    for quantity in (101, 102, 103):
        made.append(ok(connection.allocate("ofcbtc", quantity))["allocation"])
        clock.advance(minutes=1)
    [raised] = ok(set_thresholds(client, {"ofceth": 9}))["pendingApprovals"]
    ok(decide(anna, made[1]["pendingApprovalId"], "approved"))
    assert threshold == 100

    def listed(**filters: object) -> list[str | None]:
        return [one["quantity"] for one in ok(anna.get(APPROVALS, **filters))["pendingApprovals"]]

    assert listed() == ["9", "103", "102", "101"]
    assert listed(statuses="pending") == ["9", "103", "101"]
    assert listed(statuses=["approved", "rejected"]) == ["102"]
    assert listed(types="threshold") == ["9"]
    assert listed(currencies="btc,eth", pageSize=2, pageNumber=1) == ["102", "101"]
    assert listed(currencies="ofceth") == ["9"]
    assert listed(allocationIds=[made[0]["id"], NOBODY]) == ["101"]
    assert listed(pendingApprovalIds=raised["id"]) == ["9"]
    assert listed(body={"types": ["allocation"], "statuses": ["pending"]}) == ["103", "101"]
    assert anna.get(APPROVALS, pageSize=1).headers["X-Total-Count"] == "4"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'cleared'", "allocation_waits_for_its_approval"),
        ("status = 'released', refusal = 'x', reason = 'x'", "allocation_waits_for_its_approval"),
        ("retriable = true", "allocation_waits_for_its_approval"),
        ("policy_result = 'rejected'", "allocation_rejected_is_released"),
        ("pending_approval_id = NULL, policy_result = 'approved'", "allocation_policy_kept"),
        ("evaluation_id = NULL", "allocation_policy_kept"),
    ],
)
def test_database_refuses_to_end_a_waiting_allocation(
    reserved: Json, runtime: Runtime, change: str, constraint: str
) -> None:
    with psycopg.connect(runtime.database.dsn) as database, pytest.raises(psycopg.IntegrityError) as refused:
        database.execute(f"UPDATE allocation SET {change} WHERE id = %s", (reserved["id"],))  # noqa: S608
    assert refused.value.diag.constraint_name == constraint


def test_policy_result_is_final(
    reserved: Json, runtime: Runtime, anna: NetworkClient, partner: PartnerHandle
) -> None:
    ok(decide(anna, reserved["pendingApprovalId"], "approved"))
    assert reserved["connectionId"] in str(ok(partner.api.get("/partners/allocations")))
    with psycopg.connect(runtime.database.dsn) as database, pytest.raises(psycopg.IntegrityError) as refused:
        database.execute("UPDATE allocation SET policy_result = 'rejected'")
    assert refused.value.diag.constraint_name == "allocation_policy_kept"
