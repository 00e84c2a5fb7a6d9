"""The partner is asked about an allocation, and may decide it, only after its approval. Protocol §4 and §8."""

from __future__ import annotations

import pytest

from tests.support.approvals import decide, refusal, set_thresholds, user
from tests.support.networks import ConnectionHandle, Json, NetworkClient, new_nonce, ok, sign_body
from tests.support.partners import FakePartner, agreeing, refusing, silent
from tests.support.settlements import Testbed


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner) -> ConnectionHandle:
    """A client with 1000 ofcbtc and a threshold of 100, connected to a partner with a callback."""
    partner = testbed.network.partner(allocation_policies=True, callbackUrl=partner_server.url)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 1000}), partner)
    ok(set_thresholds(connection.client.api, {"ofcbtc": 100}))
    partner_server.seen.clear()
    return connection


@pytest.fixture
def anna(testbed: Testbed, connection: ConnectionHandle) -> NetworkClient:
    return user(testbed.network, connection.client.enterprise.id, "anna")


def reserve(connection: ConnectionHandle) -> tuple[Json, Json]:
    """Makes a pending allocation of 300. Returns it with the body of its request."""
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 300))
    allocation: Json = ok(connection.client.api.post(f"{connection.path}/allocations", body))["allocation"]
    assert (allocation["status"], allocation["retriable"]) == ("reserved", False)
    return allocation, body


def funds(connection: ConnectionHandle) -> tuple[tuple[int, int], tuple[int, int]]:
    return connection.go_balances()["ofcbtc"], connection.balances().get("ofcbtc", (0, 0))


def seen(connection: ConnectionHandle, allocation: Json) -> tuple[str, bool, str | None]:
    found = ok(connection.client.api.get(f"/clients/allocations/{allocation['id']}"))["allocation"]
    return found["status"], found["retriable"], found.get("policyResult")


def test_partner_is_asked_once_and_only_after_the_approval(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, anna: NetworkClient
) -> None:
    allocation, body = reserve(connection)
    ok(connection.client.api.post(f"{connection.path}/allocations", body))
    testbed.pass_minutes(60)
    assert partner_server.seen == []
    assert funds(connection) == ((700, 300), (0, 0))
    done = ok(decide(anna, allocation["pendingApprovalId"], "approved"))["allocation"]
    assert (done["status"], done["policyResult"]) == ("cleared", "approved")
    assert done["partnerExternalId"] == f"their-{allocation['id']}"
    assert funds(connection) == ((700, 0), (300, 0))
    testbed.run_due()
    assert [call.path.rpartition("/")[2] for call in partner_server.seen] == ["allocations", "clear"]
    testbed.assert_proven()


def test_partner_is_not_called_about_a_rejected_allocation(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, anna: NetworkClient
) -> None:
    allocation, _ = reserve(connection)
    ok(decide(anna, allocation["pendingApprovalId"], "rejected"))
    testbed.pass_minutes(60)
    assert partner_server.seen == []
    assert funds(connection) == ((1000, 0), (0, 0))
    testbed.assert_proven()


def test_partner_may_refuse_an_approved_allocation(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, anna: NetworkClient
) -> None:
    allocation, body = reserve(connection)
    partner_server.behave = refusing("not from this client")
    done = ok(decide(anna, allocation["pendingApprovalId"], "approved"))["allocation"]
    assert (done["status"], done["policyResult"], done["reason"]) == (
        "released",
        "approved",
        "not from this client",
    )
    assert refusal(connection.client.api.post(f"{connection.path}/allocations", body)) == (422, "partner_refused")
    assert funds(connection) == ((1000, 0), (0, 0))
    testbed.assert_proven()


@pytest.mark.parametrize("by", ["the worker", "the same request", "the same decision"])
def test_approved_allocation_without_an_answer_continues_later(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, anna: NetworkClient, by: str
) -> None:
    allocation, body = reserve(connection)
    partner_server.behave = silent
    left = ok(decide(anna, allocation["pendingApprovalId"], "approved"))
    assert left["pendingApproval"]["status"] == "approved"
    assert (left["allocation"]["status"], left["allocation"]["retriable"]) == ("reserved", True)
    assert funds(connection) == ((700, 300), (0, 0))
    testbed.assert_proven()
    partner_server.behave = agreeing
    if by == "the worker":
        testbed.pass_minutes(1)
    elif by == "the same request":
        ok(connection.client.api.post(f"{connection.path}/allocations", body))
    else:
        ok(decide(anna, allocation["pendingApprovalId"], "approved"))
    assert seen(connection, allocation) == ("cleared", False, "approved")
    assert funds(connection) == ((700, 0), (300, 0))
    testbed.assert_proven()


def ending(connection: ConnectionHandle, allocation: Json, **more: object) -> Json:
    fields = {
        "allocationId": allocation["id"],
        "amount": {"currency": "BTC", "quantity": "300"},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": connection.client.id,
        "partnersConnectionId": connection.id,
        "partnersAllocationId": "their-id",
        "status": "cleared",
        "nonce": new_nonce(),
    }
    return sign_body(fields | more, connection.partner.enterprise.account.key)


@pytest.mark.parametrize("status", ["cleared", "released"])
def test_partner_that_decides_later_must_wait_for_the_approval(testbed: Testbed, status: str) -> None:
    partner = testbed.network.partner(allocation_policies=True, asyncAllocations=True)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 1000}), partner)
    ok(set_thresholds(connection.client.api, {"ofcbtc": 100}))
    allocation, _ = reserve(connection)
    early = partner.api.put("/partners/allocations", ending(connection, allocation, status=status))
    assert refusal(early) == (409, "approval_pending")
    assert funds(connection) == ((700, 300), (0, 0))
    anna = user(testbed.network, connection.client.enterprise.id, "anna")
    passed = ok(decide(anna, allocation["pendingApprovalId"], "approved"))["allocation"]
    assert (passed["status"], passed["retriable"], passed["policyResult"]) == ("reserved", False, "approved")
    assert "approval" not in passed["reason"]
    wrong = ending(connection, allocation, status=status, evaluationId="another")
    assert refusal(partner.api.put("/partners/allocations", wrong)) == (409, "allocation_differs")
    echoed = {name: passed[name] for name in ("evaluationId", "pendingApprovalId", "policyResult")}
    answer = ok(partner.api.put("/partners/allocations", ending(connection, allocation, status=status, **echoed)))
    assert {name: answer[name] for name in echoed} == echoed
    moved = ((700, 0), (300, 0)) if status == "cleared" else ((1000, 0), (0, 0))
    assert (seen(connection, allocation), funds(connection)) == ((status, False, "approved"), moved)
    testbed.assert_proven()
