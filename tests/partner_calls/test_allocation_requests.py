"""The question to the partner about an allocation, whose funds are held meanwhile. Protocol §4."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, refusing, silent
from tests.support.settlements import Testbed

BOTH = pytest.mark.parametrize("what", ["allocation", "deallocation"])


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner) -> ConnectionHandle:
    """A client with 100 ofcbtc in its Go Account and 50 allocated to a partner with a callback."""
    partner = testbed.network.partner(callbackUrl=partner_server.url, amountUnit="decimal")
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 150}), partner)
    ok(connection.allocate("ofcbtc", 50))
    testbed.run_due()
    partner_server.seen.clear()
    return connection


def send(connection: ConnectionHandle, what: str, quantity: int) -> tuple[httpx2.Response, dict[str, Any]]:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
    return connection.client.api.post(f"{connection.path}/{what}s", body), body


def funds(connection: ConnectionHandle) -> tuple[tuple[int, int], tuple[int, int]]:
    return connection.go_balances()["ofcbtc"], connection.balances()["ofcbtc"]


@BOTH
def test_acceptance_moves_the_funds_and_the_partner_gets_a_notice(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str
) -> None:
    made = ok(send(connection, what, 30)[0])[what]
    assert (made["status"], made["retriable"], made["partnerExternalId"]) == (
        "cleared",
        False,
        f"their-{made['id']}",
    )
    (call,) = partner_server.seen
    assert (call.method, call.path) == ("POST", f"/bitgo/v1/{what}s")
    assert call.body == {
        f"{what}Id": made["id"],
        "amount": {"currency": "BTC", "quantity": "0.0000003"},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": "their-client",
        "partnersConnectionId": f"theirs-{connection.id}",
    }
    moved = ((70, 0), (80, 0)) if what == "allocation" else ((130, 0), (20, 0))
    assert funds(connection) == moved
    testbed.run_due()
    (notice,) = partner_server.asked("/clear")
    assert (notice.method, notice.path) == ("PUT", f"/bitgo/v1/{what}/{made['id']}/clear")
    own = {f"partners{what.capitalize()}Id": made["partnerExternalId"], "status": "cleared"}
    assert notice.body == {**call.body, **own}
    testbed.assert_proven()


@BOTH
@pytest.mark.parametrize("status", [200, 403, 409, 422])
def test_refusal_releases_the_funds(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str, status: int
) -> None:
    before = funds(connection)
    partner_server.behave = refusing("over the limit of this account", status)
    refused, body = send(connection, what, 30)
    record = refused.json()[what]
    assert (refused.status_code, refused.json()["name"]) == (422, "partner_refused")
    assert (record["status"], record["reason"]) == ("released", "over the limit of this account")
    assert "over the limit" in refused.json()["error"]
    assert funds(connection) == before
    again = connection.client.api.post(f"{connection.path}/{what}s", body)
    assert (again.status_code, again.json()[what], again.headers["Idempotent-Replayed"]) == (422, record, "true")
    assert len(partner_server.seen) == 1
    partner_server.behave = lambda _: Reaction(404)
    testbed.run_due()
    assert [call.body["status"] for call in partner_server.asked("/release")] == ["released"]
    assert ok(testbed.operator.get("/partner-calls", owed="true"))["partnerCalls"] == []
    testbed.assert_proven()


@BOTH
def test_funds_stay_held_without_an_answer_until_the_same_request_asks_again(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str
) -> None:
    partner_server.behave = silent
    left, body = send(connection, what, 30)
    record = left.json()[what]
    assert (left.status_code, record["status"], record["retriable"]) == (502, "reserved", True)
    held = ((70, 30), (50, 0)) if what == "allocation" else ((100, 0), (20, 30))
    assert funds(connection) == held
    testbed.assert_proven()
    listed = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert (listed["status"], listed["retriable"]) == ("reserved", True)

    partner_server.behave = agreeing
    done = connection.client.api.post(f"{connection.path}/{what}s", body)
    assert (ok(done)[what]["id"], ok(done)[what]["status"]) == (record["id"], "cleared")
    assert "reason" not in ok(done)[what]
    assert len({call.raw for call in partner_server.seen}) == 1
    kinds = [event["type"] for event in testbed.operator.events(subjectId=record["id"])]
    assert set(kinds) == {"balance.changed", f"{what}.cleared", f"{what}.reserved"}
    testbed.assert_proven()


@BOTH
@pytest.mark.parametrize("yes", [True, False])
def test_worker_finishes_an_allocation_without_an_answer(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str, *, yes: bool
) -> None:
    partner_server.behave = silent
    record = send(connection, what, 30)[0].json()[what]
    partner_server.behave = agreeing if yes else refusing()
    testbed.pass_minutes(1)
    done = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert (done["status"], done["retriable"]) == ("cleared" if yes else "released", False)
    assert partner_server.asked("/clear" if yes else "/release")
    testbed.assert_proven()


YES = {"partnersAllocationId": "theirs"}


@pytest.mark.parametrize(
    ("change", "reaction"),
    [
        ({"partnersAllocationId": None}, Reaction()),
        ({"partnersAllocationId": ""}, Reaction()),
        ({"allocationId": None}, Reaction()),
        ({"allocationId": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"}, Reaction()),
        ({"amount": {"currency": "BTC", "quantity": "0.0000004"}}, Reaction()),
        ({"amount": {"currency": "ETH", "quantity": "0.0000003"}}, Reaction()),
        ({"connectionId": 7}, Reaction()),
        ({}, Reaction(302, headers=(("Location", "/bitgo/v1/allocations"),))),
        ({}, Reaction(408)),
        ({}, Reaction(cut=True)),
        ({}, Reaction(delay_seconds=3)),
        (None, Reaction(body=b"<html>OK</html>")),
        (None, Reaction(204, b"")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_answer_that_does_not_accept_this_question_moves_nothing(
    testbed: Testbed,
    connection: ConnectionHandle,
    partner_server: FakePartner,
    change: dict[str, object] | None,
    reaction: Reaction,
) -> None:
    if reaction.delay_seconds:
        testbed.runtime.outgoing.timeout_seconds = 1

    def behave(seen: Any) -> Reaction:  # noqa: ANN401 - a call
        if change is None:
            return reaction
        body = {**seen.body, **YES, **change}
        answer = {name: value for name, value in body.items() if value is not None}
        return Reaction(reaction.status, answer, reaction.headers, reaction.delay_seconds, reaction.cut)

    partner_server.behave = behave
    left, _ = send(connection, "allocation", 30)
    assert (left.status_code, left.json()["allocation"]["status"]) == (502, "reserved")
    assert funds(connection) == ((70, 30), (50, 0))
    testbed.assert_proven()


@pytest.mark.parametrize("reason", [["over", "the limit"], {"code": 7}, " \n"])
def test_rejection_reason_that_is_not_text_refuses(
    connection: ConnectionHandle, partner_server: FakePartner, reason: object
) -> None:
    before = funds(connection)
    partner_server.behave = lambda seen: Reaction(body={**seen.body, **YES, "rejectionReason": reason})
    refused, _ = send(connection, "allocation", 30)
    assert (refused.status_code, refused.json()["allocation"]["reason"]) == (422, "no reason that can be read")
    assert funds(connection) == before


def test_empty_rejection_reason_is_no_refusal(connection: ConnectionHandle, partner_server: FakePartner) -> None:
    for reason in (None, ""):
        partner_server.behave = lambda seen, given=reason: Reaction(
            body={**seen.body, **YES, "rejectionReason": given}
        )  # type: ignore[misc]  # the default binds it
        assert ok(send(connection, "allocation", 1)[0])["allocation"]["status"] == "cleared"


def test_partner_allocation_id_without_the_s_is_accepted(
    connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = lambda seen: Reaction(body={**seen.body, "partnerAllocationId": "k"})
    assert ok(send(connection, "allocation", 1)[0])["allocation"]["partnerExternalId"] == "k"


def test_open_allocation_clears_when_the_partner_has_no_callback_any_more(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = silent
    record = send(connection, "allocation", 30)[0].json()["allocation"]
    testbed.network.configure("exchange", amountUnit="decimal")
    testbed.pass_minutes(1)
    done = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert done["status"] == "cleared"
    testbed.assert_proven()


def test_notice_is_repeated_until_it_is_received(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    ok(send(connection, "allocation", 30)[0])
    reactions = [Reaction(503), Reaction(404), Reaction(body=b"thanks")]
    partner_server.behave = lambda _: reactions.pop(0)
    for _ in range(3):
        testbed.pass_minutes(2)
    testbed.pass_minutes(60)
    notices = partner_server.asked("/clear")
    assert len(notices) == 3
    assert len({call.raw for call in notices}) == 1
