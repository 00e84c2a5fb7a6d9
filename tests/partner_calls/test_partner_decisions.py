"""A partner that decides later says what becomes of a reserved allocation, signed. Protocol §4.2."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.partners import FakePartner, Reaction, refusing, silent
from tests.support.racing import at_once
from tests.support.settling import Floor

BOTH = pytest.mark.parametrize("what", ["allocation", "deallocation"])
NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


@pytest.fixture
def connection(floor: Floor) -> ConnectionHandle:
    """100 ofcbtc in the Go Account and 50 allocated to a partner that from then on decides later."""
    partner = floor.network.partner(amountUnit="decimal", currencies={"BTC": "ofcbtc", "XBT": "ofcbtc"})
    connection = floor.network.connect(floor.network.client(deposits={"ofcbtc": 150}), partner)
    ok(connection.allocate("ofcbtc", 50))
    later(floor)
    return connection


def later(floor: Floor, **settings: object) -> None:
    currencies = {"BTC": "ofcbtc", "XBT": "ofcbtc"}
    floor.network.configure(
        "exchange", amountUnit="decimal", currencies=currencies, asyncAllocations=True, **settings
    )


def reserved(connection: ConnectionHandle, what: str, quantity: int = 30) -> Json:
    send = connection.allocate if what == "allocation" else connection.deallocate
    record: Json = ok(send("ofcbtc", quantity))[what]
    assert (record["status"], record["retriable"], bool(record["reason"])) == ("reserved", False, True)
    return record


def decision(connection: ConnectionHandle, what: str, record: Json, **changes: Any) -> Json:  # noqa: ANN401
    fields = {
        f"{what}Id": record["id"],
        "amount": {"currency": "BTC", "quantity": "0.0000003"},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": connection.client.id,
        "partnersConnectionId": connection.id,
        f"partners{what.capitalize()}Id": "their-id",
        "status": "cleared",
        "nonce": new_nonce(),
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def put(connection: ConnectionHandle, what: str, body: Json) -> httpx2.Response:
    signed = sign_body(body, connection.partner.enterprise.account.key)
    return connection.partner.api.put(f"/partners/{what}s", signed)


def funds(connection: ConnectionHandle) -> tuple[tuple[int, int], tuple[int, int]]:
    return connection.go_balances()["ofcbtc"], connection.balances()["ofcbtc"]


@BOTH
def test_cleared_moves_the_funds_once(floor: Floor, connection: ConnectionHandle, what: str) -> None:
    record = reserved(connection, what)
    assert funds(connection) == (((70, 30), (50, 0)) if what == "allocation" else ((100, 0), (20, 30)))
    floor.assert_proven()
    body = decision(connection, what, record)
    answer = ok(put(connection, what, body))
    assert answer == {name: value for name, value in body.items() if name not in ("status", "nonce")}
    moved = ((70, 0), (80, 0)) if what == "allocation" else ((130, 0), (20, 0))
    for again in (put(connection, what, body), put(connection, what, decision(connection, what, record))):
        assert (ok(again), again.headers["Idempotent-Replayed"]) == (answer, "true")
        assert funds(connection) == moved
    seen = ok(connection.partner.api.get(f"/partners/allocations/{record['id']}"))["allocation"]
    assert (seen["status"], seen["partnerExternalId"], seen["reason"]) == ("cleared", "their-id", None)
    assert len(floor.operator.audit_log(action=f"{what}.decided")) == 1
    floor.assert_proven()


@BOTH
def test_released_gives_the_funds_back_and_stays_so(floor: Floor, connection: ConnectionHandle, what: str) -> None:
    before = funds(connection)
    record = reserved(connection, what)
    no = decision(connection, what, record, status="released", rejectReason="the account is frozen")
    ok(put(connection, what, no))
    assert funds(connection) == before
    kept = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert (kept["status"], kept["reason"]) == ("released", "the account is frozen")
    contradicted = put(connection, what, decision(connection, what, record))
    assert (contradicted.status_code, contradicted.json()["name"]) == (409, "allocation_decided")
    assert funds(connection) == before
    floor.assert_proven()


@pytest.mark.parametrize(
    ("changes", "status", "name"),
    [
        ({"allocationId": NOBODY}, 404, "allocation_unknown"),
        ({"clientId": NOBODY}, 409, "allocation_differs"),
        ({"connectionId": NOBODY}, 409, "allocation_differs"),
        ({"partnersClientId": "another"}, 409, "allocation_differs"),
        ({"partnersConnectionId": "another"}, 409, "allocation_differs"),
        ({"evaluationId": "none"}, 409, "allocation_differs"),
        ({"amount": {"currency": "BTC", "quantity": "0.0000004"}}, 409, "allocation_differs"),
        ({"amount": {"currency": "BTC", "quantity": "0.00000030000000001"}}, 409, "allocation_differs"),
        ({"amount": {"currency": "ETH", "quantity": "0.0000003"}}, 409, "allocation_differs"),
        ({"amount": {"currency": "BTC", "quantity": "-0.0000003"}}, 400, "request_invalid"),
        ({"amount": {"currency": "BTC", "quantity": "3e-7"}}, 400, "request_invalid"),
        ({"status": "reserved"}, 400, "request_invalid"),
        ({"rejectReason": "but why"}, 400, "reject_reason_without_rejection"),
        ({"partnersAllocationId": None}, 400, "request_invalid"),
    ],
    ids=str,
)
def test_what_contradicts_the_allocation_is_refused(
    floor: Floor, connection: ConnectionHandle, changes: Json, status: int, name: str
) -> None:
    record = reserved(connection, "allocation")
    held = funds(connection)
    refused = put(connection, "allocation", decision(connection, "allocation", record, **changes))
    assert (refused.status_code, refused.json()["name"]) == (status, name)
    assert funds(connection) == held
    # Another name of the currency and zeros at the end say the same.
    amount = {"currency": "XBT", "quantity": "0.000000300"}
    ok(put(connection, "allocation", decision(connection, "allocation", record, amount=amount)))
    floor.assert_proven()


def test_only_the_partner_of_the_allocation_decides_and_only_with_its_key(
    floor: Floor, connection: ConnectionHandle
) -> None:
    record = reserved(connection, "allocation")
    body = decision(connection, "allocation", record)
    stranger = floor.network.partner("stranger")
    theirs = stranger.api.put("/partners/allocations", sign_body(body, stranger.enterprise.account.key))
    nobodys = stranger.api.put(
        "/partners/allocations",
        sign_body({**body, "allocationId": NOBODY}, stranger.enterprise.account.key),
    )
    assert (theirs.status_code, theirs.json()["error"]) == (404, nobodys.json()["error"])
    client = connection.client.api.put("/partners/allocations", sign_body(body, make_key(77)))
    assert client.status_code == 403
    forged = connection.partner.api.put("/partners/allocations", sign_body(body, make_key(77)))
    assert (forged.status_code, forged.json()["name"]) == (401, "signature_invalid")
    way_back = decision(connection, "deallocation", record)
    assert put(connection, "deallocation", way_back).status_code == 404
    used = put(connection, "allocation", {**body, "nonce": "once"})
    assert used.status_code == 200
    other = reserved(connection, "allocation", 10)
    amount = {"currency": "BTC", "quantity": "0.0000001"}
    conflict = put(connection, "allocation", decision(connection, "allocation", other, amount=amount, nonce="once"))
    assert (conflict.status_code, conflict.json()["name"]) == (409, "nonce_used")
    assert connection.balances()["ofcbtc"] == (80, 0)
    floor.assert_proven()


def test_yes_and_no_at_once_are_one_of_them(floor: Floor, connection: ConnectionHandle) -> None:
    record = reserved(connection, "allocation")
    said = ["cleared", "released"] * 4
    bodies = [decision(connection, "allocation", record, status=status) for status in said]
    answers = at_once([partial(put, connection, "allocation", body) for body in bodies])
    assert Counter(answer.status_code for answer in answers) == {200: 4, 409: 4}
    assert funds(connection) in (((70, 0), (80, 0)), ((100, 0), (50, 0)))
    floor.assert_proven()


@BOTH
def test_a_partner_that_decides_later_is_told_first(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, what: str
) -> None:
    later(floor, callbackUrl=their_side.url)
    their_side.behave = lambda _: Reaction(202, b"")
    record = reserved(connection, what)
    assert [call.body[f"{what}Id"] for call in their_side.seen] == [record["id"]]
    floor.pass_minutes(10)
    assert len(their_side.seen) == 1
    ok(put(connection, what, decision(connection, what, record)))
    assert floor.run_due() == 0
    floor.assert_proven()


def test_a_partner_that_decides_later_may_refuse_at_once(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    later(floor, callbackUrl=their_side.url)
    their_side.behave = refusing()
    assert connection.allocate("ofcbtc", 30).json()["name"] == "partner_refused"
    assert funds(connection) == ((100, 0), (50, 0))
    floor.assert_proven()


def test_a_decision_comes_before_an_answer_that_was_lost(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner
) -> None:
    later(floor, callbackUrl=their_side.url)
    their_side.behave = silent
    left = connection.allocate("ofcbtc", 30)
    assert (left.status_code, left.json()["allocation"]["retriable"]) == (500, True)
    record = left.json()["allocation"]
    ok(put(connection, "allocation", decision(connection, "allocation", record)))
    asked = len(their_side.seen)
    floor.pass_minutes(60)
    assert len(their_side.seen) == asked
    assert funds(connection) == ((70, 0), (80, 0))
    floor.assert_proven()
