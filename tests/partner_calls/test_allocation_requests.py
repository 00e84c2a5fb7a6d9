"""An allocation waits for its partner's answer, with the funds held, and is carried out once. Protocol §4."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, refusing, silent
from tests.support.settling import Floor

BOTH = pytest.mark.parametrize("what", ["allocation", "deallocation"])


@pytest.fixture
def connection(floor: Floor, their_side: FakePartner) -> ConnectionHandle:
    """A client with 100 ofcbtc in its Go Account and 50 allocated to a partner that is called."""
    partner = floor.network.partner(callbackUrl=their_side.url, amountUnit="decimal")
    connection = floor.network.connect(floor.network.client(deposits={"ofcbtc": 150}), partner)
    ok(connection.allocate("ofcbtc", 50))
    floor.run_due()
    their_side.seen.clear()
    return connection


def send(connection: ConnectionHandle, what: str, quantity: int) -> tuple[httpx2.Response, dict[str, Any]]:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
    return connection.client.api.post(f"{connection.path}/{what}s", body), body


def funds(connection: ConnectionHandle) -> tuple[tuple[int, int], tuple[int, int]]:
    return connection.go_balances()["ofcbtc"], connection.balances()["ofcbtc"]


@BOTH
def test_a_yes_moves_the_funds_and_the_partner_hears_of_it(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, what: str
) -> None:
    made = ok(send(connection, what, 30)[0])[what]
    assert (made["status"], made["retriable"], made["partnerExternalId"]) == (
        "cleared",
        False,
        f"their-{made['id']}",
    )
    (call,) = their_side.seen
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
    floor.run_due()
    (told,) = their_side.asked("/clear")
    assert (told.method, told.path) == ("PUT", f"/bitgo/v1/{what}/{made['id']}/clear")
    own = {f"partners{what.capitalize()}Id": made["partnerExternalId"], "status": "cleared"}
    assert told.body == {**call.body, **own}
    floor.assert_proven()


@BOTH
@pytest.mark.parametrize("status", [200, 403, 409, 422])
def test_a_no_gives_the_funds_back(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, what: str, status: int
) -> None:
    before = funds(connection)
    their_side.behave = refusing("over the limit of this account", status)
    refused, body = send(connection, what, 30)
    record = refused.json()[what]
    assert (refused.status_code, refused.json()["name"]) == (422, "partner_refused")
    assert (record["status"], record["reason"]) == ("released", "over the limit of this account")
    assert "over the limit" in refused.json()["error"]
    assert funds(connection) == before
    again = connection.client.api.post(f"{connection.path}/{what}s", body)
    assert (again.status_code, again.json()[what], again.headers["Idempotent-Replayed"]) == (422, record, "true")
    assert len(their_side.seen) == 1
    their_side.behave = lambda _: Reaction(404)
    floor.run_due()
    assert [call.body["status"] for call in their_side.asked("/release")] == ["released"]
    assert ok(floor.operator.get("/partner-calls", owed="true"))["partnerCalls"] == []
    floor.assert_proven()


@BOTH
def test_no_answer_keeps_the_funds_held_and_the_same_request_goes_on(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, what: str
) -> None:
    their_side.behave = silent
    left, body = send(connection, what, 30)
    record = left.json()[what]
    assert (left.status_code, record["status"], record["retriable"]) == (500, "reserved", True)
    held = ((70, 30), (50, 0)) if what == "allocation" else ((100, 0), (20, 30))
    assert funds(connection) == held
    floor.assert_proven()
    listed = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert (listed["status"], listed["retriable"]) == ("reserved", True)

    their_side.behave = agreeing
    done = connection.client.api.post(f"{connection.path}/{what}s", body)
    assert (ok(done)[what]["id"], ok(done)[what]["status"]) == (record["id"], "cleared")
    assert "reason" not in ok(done)[what]
    assert len({call.raw for call in their_side.seen}) == 1
    kinds = [event["type"] for event in floor.operator.events(subjectId=record["id"])]
    assert set(kinds) == {"balance.changed", f"{what}.cleared", f"{what}.reserved"}
    floor.assert_proven()


@BOTH
@pytest.mark.parametrize("yes", [True, False])
def test_what_nobody_repeats_the_worker_finishes(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, what: str, *, yes: bool
) -> None:
    their_side.behave = silent
    record = send(connection, what, 30)[0].json()[what]
    their_side.behave = agreeing if yes else refusing()
    floor.pass_minutes(1)
    done = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert (done["status"], done["retriable"]) == ("cleared" if yes else "released", False)
    assert their_side.asked("/clear" if yes else "/release")
    floor.assert_proven()


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
def test_money_never_moves_on_what_is_not_a_yes_to_this_very_question(
    floor: Floor,
    connection: ConnectionHandle,
    their_side: FakePartner,
    change: dict[str, object] | None,
    reaction: Reaction,
) -> None:
    if reaction.delay_seconds:
        floor.runtime.outgoing.timeout_seconds = 1

    def behave(seen: Any) -> Reaction:  # noqa: ANN401 - a call
        if change is None:
            return reaction
        body = {**seen.body, **YES, **change}
        answer = {name: value for name, value in body.items() if value is not None}
        return Reaction(reaction.status, answer, reaction.headers, reaction.delay_seconds, reaction.cut)

    their_side.behave = behave
    left, _ = send(connection, "allocation", 30)
    assert (left.status_code, left.json()["allocation"]["status"]) == (500, "reserved")
    assert funds(connection) == ((70, 30), (50, 0))
    floor.assert_proven()


@pytest.mark.parametrize("reason", [["over", "the limit"], {"code": 7}, " \n"])
def test_a_reason_of_another_form_is_a_no_too(
    connection: ConnectionHandle, their_side: FakePartner, reason: object
) -> None:
    before = funds(connection)
    their_side.behave = lambda seen: Reaction(body={**seen.body, **YES, "rejectionReason": reason})
    refused, _ = send(connection, "allocation", 30)
    assert (refused.status_code, refused.json()["allocation"]["reason"]) == (422, "no reason that can be read")
    assert funds(connection) == before


def test_an_empty_reason_is_none(connection: ConnectionHandle, their_side: FakePartner) -> None:
    for reason in (None, ""):
        their_side.behave = lambda seen, given=reason: Reaction(body={**seen.body, **YES, "rejectionReason": given})  # type: ignore[misc]  # the default binds it
        assert ok(send(connection, "allocation", 1)[0])["allocation"]["status"] == "cleared"


def test_one_letter_less_in_the_partners_id_is_understood(
    connection: ConnectionHandle, their_side: FakePartner
) -> None:
    their_side.behave = lambda seen: Reaction(body={**seen.body, "partnerAllocationId": "k"})
    assert ok(send(connection, "allocation", 1)[0])["allocation"]["partnerExternalId"] == "k"


def test_what_was_still_to_be_asked_is_cleared_once_the_partner_is_called_no_more(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    their_side.behave = silent
    record = send(connection, "allocation", 30)[0].json()["allocation"]
    floor.network.configure("exchange", amountUnit="decimal")
    floor.pass_minutes(1)
    done = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert done["status"] == "cleared"
    floor.assert_proven()


def test_the_outcome_is_told_until_it_is_heard(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    ok(send(connection, "allocation", 30)[0])
    reactions = [Reaction(503), Reaction(404), Reaction(body=b"thanks")]
    their_side.behave = lambda _: reactions.pop(0)
    for _ in range(3):
        floor.pass_minutes(2)
    floor.pass_minutes(60)
    told = their_side.asked("/clear")
    assert len(told) == 3
    assert len({call.raw for call in told}) == 1
