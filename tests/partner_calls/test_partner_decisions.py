"""A partner that decides later sends a signed decision about a reserved allocation. Protocol §4.2."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.partners import FakePartner, Reaction, refusing, silent
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

BOTH = pytest.mark.parametrize("what", ["allocation", "deallocation"])
NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    """A client with 100 ofcbtc in its Go Account and 50 allocated to a partner that now decides later."""
    partner = testbed.network.partner(amountUnit="decimal", currencies={"BTC": "ofcbtc", "XBT": "ofcbtc"})
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 150}), partner)
    ok(connection.allocate("ofcbtc", 50))
    later(testbed)
    return connection


def later(testbed: Testbed, **settings: object) -> None:
    currencies = {"BTC": "ofcbtc", "XBT": "ofcbtc"}
    testbed.network.configure(
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
def test_cleared_decision_moves_the_funds_once(testbed: Testbed, connection: ConnectionHandle, what: str) -> None:
    record = reserved(connection, what)
    assert funds(connection) == (((70, 30), (50, 0)) if what == "allocation" else ((100, 0), (20, 30)))
    testbed.assert_proven()
    body = decision(connection, what, record)
    answer = ok(put(connection, what, body))
    assert answer == {name: value for name, value in body.items() if name not in ("status", "nonce")}
    moved = ((70, 0), (80, 0)) if what == "allocation" else ((130, 0), (20, 0))
    for again in (put(connection, what, body), put(connection, what, decision(connection, what, record))):
        assert (ok(again), again.headers["Idempotent-Replayed"]) == (answer, "true")
        assert funds(connection) == moved
    seen = ok(connection.partner.api.get(f"/partners/allocations/{record['id']}"))["allocation"]
    assert (seen["status"], seen["partnerExternalId"], seen["reason"]) == ("cleared", "their-id", None)
    assert len(testbed.operator.audit_log(action=f"{what}.decided")) == 1
    testbed.assert_proven()


@BOTH
def test_repeat_of_a_decision_is_answered_whatever_has_changed_since(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
    record = reserved(connection, what)
    body = sign_body(decision(connection, what, record), connection.partner.enterprise.account.key)
    api, path = connection.partner.api, f"/partners/{what}s"
    answer = ok(api.put(path, body))
    account = connection.partner.enterprise.account
    ok(testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": make_key(4_321).xpub}))
    assert testbed.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    testbed.network.configure("exchange", currencies={"ETH": "ofceth"})
    with nothing_written(testbed.runtime):
        again = api.put(path, body)
        assert (ok(again), again.headers["Idempotent-Replayed"]) == (answer, "true")
        refused = put(connection, what, decision(connection, what, record))
    assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")


@BOTH
def test_released_decision_returns_the_funds_and_is_final(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
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
    testbed.assert_proven()


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
        ({"status": "released", "rejectReason": ""}, 400, "request_invalid"),
        ({"partnersAllocationId": None}, 400, "request_invalid"),
    ],
    ids=str,
)
def test_decision_that_differs_from_the_allocation_is_refused(
    testbed: Testbed, connection: ConnectionHandle, changes: Json, status: int, name: str
) -> None:
    record = reserved(connection, "allocation")
    held = funds(connection)
    refused = put(connection, "allocation", decision(connection, "allocation", record, **changes))
    assert (refused.status_code, refused.json()["name"]) == (status, name)
    assert funds(connection) == held
    # Another name of the same currency and trailing zeros are equal.
    amount = {"currency": "XBT", "quantity": "0.000000300"}
    ok(put(connection, "allocation", decision(connection, "allocation", record, amount=amount)))
    testbed.assert_proven()


def test_only_the_partner_of_the_allocation_decides_with_its_own_key(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    record = reserved(connection, "allocation")
    body = decision(connection, "allocation", record)
    stranger = testbed.network.partner("stranger")
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
    testbed.assert_proven()


def test_one_of_concurrent_opposite_decisions_is_carried_out(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    record = reserved(connection, "allocation")
    said = ["cleared", "released"] * 4
    bodies = [decision(connection, "allocation", record, status=status) for status in said]
    answers = at_once([partial(put, connection, "allocation", body) for body in bodies])
    assert Counter(answer.status_code for answer in answers) == {200: 4, 409: 4}
    assert funds(connection) in (((70, 0), (80, 0)), ((100, 0), (50, 0)))
    testbed.assert_proven()


@BOTH
def test_partner_that_decides_later_is_asked_once(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str
) -> None:
    later(testbed, callbackUrl=partner_server.url)
    partner_server.behave = lambda _: Reaction(202, b"")
    record = reserved(connection, what)
    assert [call.body[f"{what}Id"] for call in partner_server.seen] == [record["id"]]
    testbed.pass_minutes(10)
    assert len(partner_server.seen) == 1
    ok(put(connection, what, decision(connection, what, record)))
    assert testbed.run_due() == 0
    testbed.assert_proven()


def test_partner_that_decides_later_may_refuse_at_once(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    later(testbed, callbackUrl=partner_server.url)
    partner_server.behave = refusing()
    assert connection.allocate("ofcbtc", 30).json()["name"] == "partner_refused"
    assert funds(connection) == ((100, 0), (50, 0))
    testbed.assert_proven()


def test_decision_replaces_a_lost_answer(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    later(testbed, callbackUrl=partner_server.url)
    partner_server.behave = silent
    left = connection.allocate("ofcbtc", 30)
    assert (left.status_code, left.json()["allocation"]["retriable"]) == (502, True)
    record = left.json()["allocation"]
    ok(put(connection, "allocation", decision(connection, "allocation", record)))
    asked = len(partner_server.seen)
    testbed.pass_minutes(60)
    assert len(partner_server.seen) == asked
    assert funds(connection) == ((70, 0), (80, 0))
    testbed.assert_proven()
