"""What "the same request" is for allocations and deallocations, and what its repeats may do. Protocol §2, §4."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import ConnectionHandle, Json, NetworkClient, new_nonce, ok, sign_body
from tests.support.operators import READ, make_key
from tests.support.partners import FakePartner, agreeing, silent
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

BOTH = pytest.mark.parametrize("what", ["allocations", "deallocations"])


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    """A client with 100 ofcbtc in its Go Account and 50 allocated."""
    connection = testbed.network.connect(
        testbed.network.client(deposits={"ofcbtc": 150}), testbed.network.partner()
    )
    ok(connection.allocate("ofcbtc", 50))
    return connection


def post(connection: ConnectionHandle, what: str, body: Json, api: NetworkClient | None = None) -> httpx2.Response:
    return (api or connection.client.api).post(f"{connection.path}/{what}", body)


def spelled_anew(connection: ConnectionHandle, fields: Json) -> Json:
    anew = {**dict(reversed(fields.items())), "nonce": new_nonce()}
    payload = json.dumps(anew, indent=3)
    return {
        **anew,
        "payload": payload,
        "signature": sign_message(connection.client.enterprise.account.key, payload),
    }


def revoke_key(testbed: Testbed, connection: ConnectionHandle) -> None:
    account = connection.client.enterprise.account
    ok(testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": make_key(4_321).xpub}))
    assert testbed.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204


def stops(testbed: Testbed, connection: ConnectionHandle) -> dict[str, Callable[[], object]]:
    """Returns what keeps a new allocation from being made."""
    operator = testbed.operator
    return {
        "partner": partial(operator.patch, f"/partners/{connection.partner.id}", {"active": False}),
        "client": partial(operator.patch, f"/clients/{connection.client.id}", {"active": False}),
        "connection": partial(connection.client.api.put, connection.path, {"active": False}),
        "currency": partial(testbed.network.configure, "exchange", currencies={"ETH": "ofceth"}),
        "key": partial(revoke_key, testbed, connection),
    }


@BOTH
def test_repeat_is_answered_whatever_has_changed_since(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 20, notes="n"))
    first = post(connection, what, body)
    assert first.status_code == 200
    for stop in stops(testbed, connection).values():
        stop()
        with nothing_written(testbed.runtime):
            again = post(connection, what, body)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert again.content == first.content


@BOTH
def test_same_request_signed_anew_is_a_repeat(testbed: Testbed, connection: ConnectionHandle, what: str) -> None:
    fields = connection.allocation_fields("ofcbtc", 20, notes="n")
    first = post(connection, what, connection.client.enterprise.sign(fields))
    anew = spelled_anew(connection, {**fields, "amount": {"quantity": "20", "currency": "btc"}})
    again = post(connection, what, anew)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true"), again.text
    assert again.content == first.content
    revoke_key(testbed, connection)
    with nothing_written(testbed.runtime):
        assert post(connection, what, anew).content == first.content
        refused = post(connection, what, spelled_anew(connection, fields))
    assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")
    testbed.assert_proven()


@BOTH
def test_request_that_differs_is_refused_with_the_fields(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
    fields = connection.allocation_fields("ofcbtc", 20, notes="n")
    record = ok(post(connection, what, connection.client.enterprise.sign(fields)))[what[:-1]]
    changes: list[tuple[list[str], Json]] = [
        (["notes"], {"notes": "N"}),
        (["amount.quantity"], {"amount": {"currency": "ofcbtc", "quantity": "21"}}),
        (["amount.currency"], {"amount": {"currency": "ofceth", "quantity": "20"}}),
        (
            ["amount.currency", "amount.quantity", "notes"],
            {"amount": {"currency": "eth", "quantity": "1"}, "notes": "-"},
        ),
    ]
    for expected, changed in changes:
        with nothing_written(testbed.runtime):
            refused = post(connection, what, spelled_anew(connection, {**fields, **changed}))
        assert (refused.status_code, refused.json()["name"]) == (400, "client_external_id_taken"), refused.text
        assert refused.json()["details"] == {"fields": expected, f"{what[:-1]}Id": record["id"]}
        assert "choose" not in refused.json()["error"]


@BOTH
def test_bad_repeats_are_refused_and_learn_nothing(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
    fields = connection.allocation_fields("ofcbtc", 20)
    body = connection.client.enterprise.sign(fields)
    ok(post(connection, what, body))
    signature = str(body["signature"])
    bent = {**body, "signature": f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"}
    other = sign_body({**fields, "notes": "other"}, make_key(77))
    reader = testbed.network.member(connection.client.enterprise.id, scopes=[READ])
    stranger = testbed.network.client("stranger")
    opposite = "deallocations" if what == "allocations" else "allocations"
    with nothing_written(testbed.runtime):
        for forged in (bent, other):
            refused = post(connection, what, forged)
            assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")
            assert "details" not in refused.json()
        assert post(connection, what, body, reader).json()["name"] == "scope_missing"
        assert post(connection, what, body, stranger.api).json()["name"] == "connection_unknown"
        assert post(connection, opposite, body).json()["name"] == "text_already_used"
        differs = post(connection, what, {**body, "notes": "not signed"})
    assert differs.json()["name"] == "payload_differs"


def test_text_of_an_allocation_is_no_repeat_of_a_deallocation_with_its_external_id(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    fields = connection.allocation_fields("ofcbtc", 20)
    allocated = connection.client.enterprise.sign(fields)
    ok(post(connection, "allocations", allocated))
    ok(post(connection, "deallocations", connection.client.enterprise.sign({**fields, "nonce": new_nonce()})))
    with nothing_written(testbed.runtime):
        refused = post(connection, "deallocations", allocated)
    assert (refused.status_code, refused.json()["name"]) == (400, "text_already_used")


def test_repeat_by_another_member_is_answered(testbed: Testbed, connection: ConnectionHandle) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 20))
    first = post(connection, "allocations", body)
    enterprise = connection.client.enterprise.id
    token = testbed.operator.user_token(enterprise, "second-user")
    with NetworkClient(testbed.operator.base_url, token, enterprise) as second, nothing_written(testbed.runtime):
        assert post(connection, "allocations", body, second).content == first.content


@pytest.mark.parametrize("obstacle", ["partner", "client", "connection", "currency", "key"])
def test_repeat_asks_the_partner_again_only_if_a_new_request_would_be_allowed(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, obstacle: str
) -> None:
    testbed.network.configure("exchange", callbackUrl=partner_server.url)
    partner_server.behave = silent
    fields = connection.allocation_fields("ofcbtc", 20)
    body = connection.client.enterprise.sign(fields)
    left = post(connection, "allocations", body)
    assert left.json()["allocation"]["retriable"] is True
    partner_server.behave = agreeing
    asked = len(partner_server.seen)
    if obstacle == "currency":
        testbed.network.configure("exchange", callbackUrl=partner_server.url, currencies={"ETH": "ofceth"})
    else:
        stops(testbed, connection)[obstacle]()
    with nothing_written(testbed.runtime):
        again = post(connection, "allocations", body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["allocation"] == left.json()["allocation"]
    assert len(partner_server.seen) == asked
    testbed.assert_proven()


def test_same_request_signed_anew_asks_the_partner_again(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    testbed.network.configure("exchange", callbackUrl=partner_server.url)
    partner_server.behave = silent
    fields = connection.allocation_fields("ofcbtc", 20)
    left = post(connection, "allocations", connection.client.enterprise.sign(fields))
    partner_server.behave = agreeing
    done = post(connection, "allocations", spelled_anew(connection, fields))
    assert ok(done)["allocation"]["id"] == left.json()["allocation"]["id"]
    assert ok(done)["allocation"]["status"] == "cleared"
    testbed.assert_proven()
