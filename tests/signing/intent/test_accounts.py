"""A Go Account begins and ceases to require that its texts say what they are for. Protocol §11."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from clearwindow.core.ids import NIL
from clearwindow.custody import intent, store
from clearwindow.identity.models import Operator
from tests.signing.intent.scenes import LATER, require_intent, with_intent
from tests.support.networks import ConnectionHandle, Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, stage


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})


def events_of(testbed: Testbed, enterprise_id: str) -> list[Json]:
    events: list[Json] = ok(testbed.operator.get("/events", enterpriseId=enterprise_id))["events"]
    return [event["payload"] for event in events if event["type"] == "account.intent_changed"]


def test_owner_turns_it_on_with_a_signed_request(testbed: Testbed, connection: ConnectionHandle) -> None:
    owner = connection.client.enterprise
    answer = ok(require_intent(owner))["goAccount"]
    assert (answer["id"], answer["requireIntent"]) == (owner.account.id, True)
    assert events_of(testbed, owner.id) == [{"goAccountId": owner.account.id, "requireIntent": True}]
    assert connection.allocate("ofcbtc", 1).json()["name"] == "intent_missing"
    stage(connection.partner, {connection.id: {"BTC": "-1"}})
    again = require_intent(owner)
    assert (ok(again)["goAccount"], again.headers.get("Idempotent-Replayed")) == (answer, None)
    assert len(events_of(testbed, owner.id)) == 1
    testbed.assert_signed()


def test_request_that_turns_it_on_says_what_it_is_for(testbed: Testbed, connection: ConnectionHandle) -> None:
    owner = connection.client.enterprise
    path = f"/go-accounts/{owner.account.id}/require-intent"
    stranger = testbed.network.enterprise("stranger")
    ids = {"goAccountId": owner.account.id}
    fields = {"requireIntent": True, "nonce": new_nonce()}
    signed = partial(with_intent, fields, owner, "account.require_intent", ids)
    with nothing_written(testbed.runtime):
        refused = owner.api.post(path, owner.sign({"requireIntent": True}))
        assert (refused.status_code, refused.json()["name"]) == (400, "intent_missing")
        assert owner.api.post(path, signed(goAccountId="0" * 32)).json()["name"] == "payload_differs"
        off = with_intent({**fields, "requireIntent": False}, owner, "account.require_intent", ids)
        assert owner.api.post(path, off).json()["name"] == "request_invalid"
        theirs = stranger.api.post(path, signed(enterpriseId="stranger"))
        unknown = stranger.api.post(
            f"/go-accounts/{'0' * 32}/require-intent", signed(enterpriseId="stranger", goAccountId="0" * 32)
        )
        assert (theirs.status_code, theirs.json()["error"]) == (404, unknown.json()["error"])
        forged = sign_body(
            {
                **fields,
                **ids,
                "operation": "account.require_intent",
                "enterpriseId": owner.id,
                "expiresAt": LATER,
            },
            make_key(99),
        )
        assert owner.api.post(path, forged).json()["name"] == "signature_invalid"


def test_same_request_at_the_same_instant_turns_it_on_once(testbed: Testbed, connection: ConnectionHandle) -> None:
    owner = connection.client.enterprise
    fields = {"requireIntent": True, "nonce": new_nonce()}
    body = with_intent(fields, owner, "account.require_intent", {"goAccountId": owner.account.id})
    path = f"/go-accounts/{owner.account.id}/require-intent"
    answers = at_once([partial(owner.api.post, path, body)] * 12)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(events_of(testbed, owner.id)) == 1


def test_operator_opens_an_account_that_requires_it(testbed: Testbed) -> None:
    testbed.operator.enterprise("careful")
    body = {"keys": [{"pub": make_key(5).xpub}], "requireIntent": True}
    opened = ok(testbed.operator.post("/enterprises/careful/go-accounts", body))["goAccount"]
    usual = ok(testbed.operator.post("/enterprises/careful/go-accounts", {**body, "requireIntent": False}))
    assert (opened["requireIntent"], usual["goAccount"]["requireIntent"]) == (True, False)


def test_use_case_of_a_proposal_turns_it_off(testbed: Testbed, connection: ConnectionHandle) -> None:
    owner = connection.client.enterprise
    ok(require_intent(owner))
    operator = Operator(NIL, "a proposal", "request")
    with testbed.runtime.transaction() as tx:
        account = store.find_go_account(tx, UUID(hex=owner.account.id))
        assert account is not None
        assert not intent.turn_intent_off(tx, operator, account).require_intent
        assert not intent.turn_intent_off(tx, operator, account).require_intent
        found = store.find_go_account(tx, account.id)
    assert found is not None
    assert not found.require_intent
    assert [event["requireIntent"] for event in events_of(testbed, owner.id)] == [False, True]
    ok(connection.deallocate("ofcbtc", 1))
