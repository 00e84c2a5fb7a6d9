"""What "the same request" is for a connection, whose key is its nonce. Protocol §2."""

from __future__ import annotations

import json
from functools import partial

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import (
    TOKEN_KEY,
    ClientHandle,
    Json,
    NetworkClient,
    PartnerHandle,
    new_nonce,
    ok,
    sign_body,
)
from tests.support.operators import READ, make_key
from tests.support.partners import FakePartner, agreeing, silent
from tests.support.races import at_once
from tests.support.refusals import EVIDENCE, nothing_written
from tests.support.settlements import Testbed

PATH = "/clients/connections"


@pytest.fixture
def partner(testbed: Testbed) -> PartnerHandle:
    return testbed.network.partner()


@pytest.fixture
def client(testbed: Testbed) -> ClientHandle:
    return testbed.network.client()


def wanted(partner: PartnerHandle, **more: object) -> Json:
    return {"partnerId": partner.id, "name": "main", "connectionKey": TOKEN_KEY, "nonce": new_nonce(), **more}


def spelled_anew(client: ClientHandle, fields: Json) -> Json:
    anew = dict(reversed(fields.items()))
    payload = json.dumps(anew, indent=3)
    return {**anew, "payload": payload, "signature": sign_message(client.enterprise.account.key, payload)}


def replayed(answer: httpx2.Response) -> Json:
    assert answer.headers["Idempotent-Replayed"] == "true"
    connection: Json = ok(answer)["connection"]
    return connection


def stop_everything(testbed: Testbed, client: ClientHandle, partner: PartnerHandle) -> None:
    ok(testbed.operator.patch(f"/partners/{partner.id}", {"active": False}))
    ok(testbed.operator.patch(f"/clients/{client.id}", {"active": False}))
    account = client.enterprise.account
    ok(testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": make_key(4_321).xpub}))
    assert testbed.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204


def test_repeat_is_answered_whatever_has_changed_since(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle
) -> None:
    body = client.enterprise.sign(wanted(partner))
    made = ok(client.api.post(PATH, body))["connection"]
    stop_everything(testbed, client, partner)
    with nothing_written(testbed.runtime):
        assert replayed(client.api.post(PATH, body)) == made
        refused = client.api.post(PATH, client.enterprise.sign(wanted(partner)))
    assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")


def test_same_request_signed_anew_is_a_repeat_and_another_is_refused(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle
) -> None:
    fields = wanted(partner)
    made = ok(client.api.post(PATH, client.enterprise.sign(fields)))["connection"]
    ok(client.api.put(f"{PATH}/{made['id']}", {"name": "renamed"}))
    other = testbed.network.partner("other")
    with nothing_written(testbed.runtime, but=EVIDENCE):
        assert replayed(client.api.post(PATH, spelled_anew(client, fields)))["id"] == made["id"]
    with nothing_written(testbed.runtime):
        for names, changed in (
            (["name"], {"name": "renamed"}),
            (["partnerId"], {"partnerId": other.id}),
            (["connectionKey"], {"connectionKey": {"schema": "token", "connectionToken": "another-secret"}}),
        ):
            refused = client.api.post(PATH, spelled_anew(client, {**fields, **changed}))
            assert (refused.status_code, refused.json()["name"]) == (400, "nonce_used")
            assert refused.json()["details"] == {"fields": names, "connectionId": made["id"]}
            assert "secret" not in refused.text


def test_bad_repeats_learn_nothing(testbed: Testbed, client: ClientHandle, partner: PartnerHandle) -> None:
    fields = wanted(partner)
    body = client.enterprise.sign(fields)
    made = ok(client.api.post(PATH, body))["connection"]
    signature = str(body["signature"])
    bent = {**body, "signature": f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"}
    other = sign_body({**fields, "name": "other"}, make_key(77))
    reader = testbed.network.member(client.enterprise.id, scopes=[READ])
    with nothing_written(testbed.runtime):
        for forged in (bent, other):
            refused = client.api.post(PATH, forged)
            assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")
            assert "details" not in refused.json()
        assert reader.post(PATH, body).json()["name"] == "scope_missing"
        token = testbed.operator.user_token
    with NetworkClient(
        testbed.operator.base_url, token(client.enterprise.id, "second"), client.enterprise.id
    ) as second:
        assert replayed(second.post(PATH, body))["id"] == made["id"]


def test_same_request_at_the_same_instant_makes_one_connection(
    client: ClientHandle, partner: PartnerHandle
) -> None:
    fields = wanted(partner)
    bodies = [client.enterprise.sign(fields), spelled_anew(client, fields)] * 6
    answers = at_once([partial(client.api.post, PATH, body) for body in bodies])
    assert len({ok(answer)["connection"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


def test_repeat_calls_the_partner_again_only_if_a_new_request_would_be_allowed(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    testbed.network.configure("exchange", callbackUrl=partner_server.url)
    partner_server.behave = silent
    body = client.enterprise.sign(wanted(partner))
    made = ok(client.api.post(PATH, body))["connection"]
    partner_server.behave = agreeing
    called = len(partner_server.seen)
    stop_everything(testbed, client, partner)
    with nothing_written(testbed.runtime):
        again = replayed(client.api.post(PATH, body))
    assert (again["id"], again["initialized"], len(partner_server.seen)) == (made["id"], False, called)


def test_connection_of_an_older_version_is_compared_by_bytes(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle
) -> None:
    fields = wanted(partner)
    body = client.enterprise.sign(fields)
    made = ok(client.api.post(PATH, body))["connection"]
    with testbed.runtime.transaction() as tx:
        tx.run("UPDATE connection SET first_name = NULL")
        tx.run("UPDATE nonce SET record_id = NULL")
    with nothing_written(testbed.runtime):
        assert replayed(client.api.post(PATH, body)) == made
        refused = client.api.post(PATH, spelled_anew(client, fields))
    assert refused.json()["details"] == {"fields": [], "connectionId": made["id"]}
