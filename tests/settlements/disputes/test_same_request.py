"""What "the same request" is for a dispute, its changes and its closure. Protocol §2, §6."""

from __future__ import annotations

import json
from functools import partial

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import ConnectionHandle, Json, NetworkClient, new_nonce, ok, sign_body
from tests.support.operators import READ, make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, change_dispute, dispute, stage


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(), {"ofcbtc": 500})


@pytest.fixture
def settlement_id(connection: ConnectionHandle) -> str:
    return str(stage(connection.partner, {connection.id: {"BTC": "-200"}})["id"])


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


def raising(connection: ConnectionHandle, **more: object) -> Json:
    return {"connectionId": connection.id, "expectedTransfers": {"btc": "-150"}, "reason": "fills", **more}


def replayed(answer: httpx2.Response) -> Json:
    assert answer.headers["Idempotent-Replayed"] == "true"
    return ok(answer)


def test_repeats_only_read_whatever_has_changed_since(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    api, enterprise = connection.client.api, connection.client.enterprise
    raised = f"/clients/settlements/{settlement_id}/disputes"
    raise_body = enterprise.sign(raising(connection))
    dispute_id = ok(api.post(raised, raise_body))["dispute"]["id"]
    changed = f"/clients/settlements/disputes/{dispute_id}"
    retract = enterprise.sign({"connectionId": connection.id, "retracted": True})
    ok(api.put(changed, retract))
    restore = enterprise.sign({"connectionId": connection.id, "retracted": False, "reason": "again"})
    ok(api.put(changed, restore))
    testbed.pass_minutes(10)
    close = enterprise.sign({"notes": "we were wrong"})
    closed = ok(api.post(f"{changed}/close", close))
    revoke_key(testbed, connection)
    testbed.network.configure("exchange", currencies={"ETH": "ofceth"})
    # Staging, closing and finalising hold these locks.
    with testbed.runtime.transaction() as tx, nothing_written(testbed.runtime):
        tx.run("SELECT FROM partner FOR UPDATE")
        tx.run("SELECT FROM settlement_party FOR UPDATE")
        tx.run("SELECT FROM dispute FOR UPDATE")
        for answer in (api.post(raised, raise_body), api.put(changed, retract), api.put(changed, restore)):
            assert (replayed(answer)["dispute"]["id"], ok(answer)["dispute"]["retracted"]) == (dispute_id, False)
        assert replayed(api.post(f"{changed}/close", close)) == closed
    refused = api.post(raised, enterprise.sign(raising(connection)))
    assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")
    testbed.assert_proven()


def test_dispute_signed_anew_is_compared_with_what_it_was_raised_with(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    api, path = connection.client.api, f"/clients/settlements/{settlement_id}/disputes"
    first = ok(api.post(path, connection.client.enterprise.sign(raising(connection))))["dispute"]
    ok(change_dispute(connection, first["id"], retracted=False, reason="other", expectedTransfers={"btc": "-1"}))
    named_otherwise = spelled_anew(connection, raising(connection, expectedTransfers={"ofcbtc": "-150"}))
    again = replayed(api.post(path, named_otherwise))["dispute"]
    assert (again["id"], again["reason"]) == (first["id"], "other")
    testbed.pass_minutes(10)
    with nothing_written(testbed.runtime):
        assert replayed(api.post(path, named_otherwise))["dispute"]["id"] == first["id"]
        for fields, changed in (
            (["reason"], {"reason": "other"}),
            (["expectedTransfers"], {"expectedTransfers": {"btc": "-1"}}),
            (["reason", "expectedTransfers"], {"reason": "-", "expectedTransfers": {}}),
        ):
            refused = api.post(path, spelled_anew(connection, raising(connection, **changed)))
            assert (refused.status_code, refused.json()["name"]) == (409, "dispute_exists")
            assert refused.json()["details"] == {"fields": fields, "disputeId": first["id"]}


def test_closure_signed_anew_is_the_same_if_its_notes_are(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    raised = ok(dispute(connection, settlement_id))["dispute"]["id"]
    testbed.pass_minutes(10)
    api, path = connection.client.api, f"/clients/settlements/disputes/{raised}/close"
    fields: Json = {"notes": "we were wrong"}
    first = ok(api.post(path, connection.client.enterprise.sign(fields)))
    anew = spelled_anew(connection, fields)
    assert replayed(api.post(path, anew)) == first
    with nothing_written(testbed.runtime):
        assert replayed(api.post(path, anew)) == first
        refused = api.post(path, spelled_anew(connection, {"notes": "other"}))
    assert (refused.status_code, refused.json()["name"]) == (409, "dispute_closed")
    assert refused.json()["details"] == {"fields": ["notes"], "closureId": first["disputeClosure"]["id"]}
    with testbed.operator.another() as second:
        review = f"/dispute-closures/{first['disputeClosure']['id']}/review"
        ok(second.post(review, {"decision": "rejected"}))
    # The dispute is open again: a new request makes a new closure, the bytes of the first answer the first.
    assert replayed(api.post(path, anew))["disputeClosure"]["id"] == first["disputeClosure"]["id"]
    new = ok(api.post(path, spelled_anew(connection, fields)))
    assert new["disputeClosure"]["id"] != first["disputeClosure"]["id"]
    testbed.assert_proven()


def test_bad_repeats_of_a_dispute_learn_nothing(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    path, api = f"/clients/settlements/{settlement_id}/disputes", connection.client.api
    body = connection.client.enterprise.sign(raising(connection))
    raised = ok(api.post(path, body))["dispute"]["id"]
    signature = str(body["signature"])
    bent = {**body, "signature": f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"}
    other = sign_body({**raising(connection, reason="other"), "nonce": new_nonce()}, make_key(77))
    reader = testbed.network.member(connection.client.enterprise.id, scopes=[READ])
    stranger = testbed.network.client("stranger")
    with nothing_written(testbed.runtime):
        for forged in (bent, other):
            refused = api.post(path, forged)
            assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")
            assert "details" not in refused.json()
        assert reader.post(path, body).json()["name"] == "scope_missing"
        assert stranger.api.post(path, body).json()["name"] == "settlement_not_found"
    token = testbed.operator.user_token(connection.client.enterprise.id, "second-user")
    with NetworkClient(testbed.operator.base_url, token, connection.client.enterprise.id) as second:
        assert replayed(second.post(path, body))["dispute"]["id"] == raised


def test_same_dispute_at_the_same_instant_is_one(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    path, api = f"/clients/settlements/{settlement_id}/disputes", connection.client.api
    fields = raising(connection)
    bodies = [connection.client.enterprise.sign(fields), *(spelled_anew(connection, fields) for _ in range(3))] * 4
    answers = at_once([partial(api.post, path, body) for body in bodies])
    assert len({ok(answer)["dispute"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    testbed.assert_proven()


def test_dispute_of_an_older_version_is_compared_by_bytes(
    testbed: Testbed, connection: ConnectionHandle, settlement_id: str
) -> None:
    path, api = f"/clients/settlements/{settlement_id}/disputes", connection.client.api
    body = connection.client.enterprise.sign(raising(connection))
    raised = ok(api.post(path, body))["dispute"]["id"]
    with testbed.runtime.transaction() as tx:
        tx.run("UPDATE dispute SET raised_with = NULL")
        tx.run("UPDATE nonce SET record_id = NULL")
    with nothing_written(testbed.runtime):
        assert replayed(api.post(path, body))["dispute"]["id"] == raised
        refused = api.post(path, spelled_anew(connection, raising(connection)))
    assert refused.json()["details"] == {"fields": [], "disputeId": raised}
