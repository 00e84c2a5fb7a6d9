"""Signing helpers write what a text is for if the account or the caller wants it. Protocol §11."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.signing.intent.scenes import require_intent
from tests.support.networks import TOKEN_KEY, ConnectionHandle, Json, new_nonce, ok
from tests.support.settlements import Testbed, fields_of

SETTLEMENTS = "/partners/settlements-signing"


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(onchainEnabled=True), {"ofcbtc": 1_000})


def helper(api: Any, path: str, fields: Json, **query: object) -> httpx2.Response:  # noqa: ANN401 - a client
    answer: httpx2.Response = api.get(path, body=fields, **query)
    return answer


def said(answer: httpx2.Response) -> Json:
    payload: Json = json.loads(ok(answer)["payload"])
    return payload


def every_helper(connection: ConnectionHandle) -> list[tuple[Any, str, Json, Json]]:
    """Returns each helper with its caller, its fields and what its text is for."""
    client, partner = connection.client, connection.partner
    ours = {"enterpriseId": client.enterprise.id, "connectionId": connection.id, "amountUnit": "base"}
    theirs = {"enterpriseId": partner.enterprise.id}
    allocation = connection.allocation_fields("ofcbtc", 5)
    new = {"partnerId": partner.id, "name": "second", "connectionKey": TOKEN_KEY, "nonce": new_nonce()}
    deposits = {"externalSettlementId": "x", "deposits": [{"currency": "BTC", "onChainTxId": "0x1"}]}
    settled = fields_of({connection.id: {"BTC": "-1"}})
    return [
        (client.api, f"{connection.path}/allocations/signing", allocation, {"operation": "allocation", **ours}),
        (client.api, f"{connection.path}/deallocations/signing", allocation, {"operation": "deallocation", **ours}),
        (
            client.api,
            "/clients/connections/signing",
            new,
            {"operation": "connection.create", "enterpriseId": client.enterprise.id},
        ),
        (partner.api, SETTLEMENTS, settled, {"operation": "settlement.stage", "amountUnit": "base", **theirs}),
        (
            partner.api,
            "/partners/settlements/onchain/deposits/signing",
            deposits,
            {"operation": "settlement.deposits", **theirs},
        ),
    ]


def test_helpers_write_intent_only_if_asked_or_required(connection: ConnectionHandle) -> None:
    for api, path, fields, purpose in every_helper(connection):
        assert said(helper(api, path, fields)) == fields, path
        assert said(helper(api, path, fields, intent="false")) == fields, path
        expected = {**fields, **purpose, "expiresAt": "2026-01-05T12:10:00.000Z"}
        assert said(helper(api, path, fields, intent="true")) == expected, path
    for enterprise in (connection.client.enterprise, connection.partner.enterprise):
        ok(require_intent(enterprise))
    for api, path, fields, purpose in every_helper(connection):
        wanted = {"expiresInMinutes": 43_200, "intent": "false"}
        expected = {**fields, **purpose, "expiresAt": "2026-02-04T12:00:00.000Z"}
        assert said(helper(api, path, fields, **wanted)) == expected, path


def test_posted_helper_takes_the_same_query(connection: ConnectionHandle) -> None:
    api, path, fields, purpose = every_helper(connection)[3]
    text = ok(api.post(f"{path}?intent=true&expiresInMinutes=1", fields))["payload"]
    assert json.loads(text) == {**fields, **purpose, "expiresAt": "2026-01-05T12:01:00.000Z"}


@pytest.mark.parametrize("what", ["allocations", "deallocations"])
def test_text_of_a_helper_is_accepted_with_the_fields_as_they_were(connection: ConnectionHandle, what: str) -> None:
    owner = connection.client.enterprise
    ok(require_intent(owner))
    fields = connection.allocation_fields("ofcbtc", 5)
    path = f"{connection.path}/{what}"
    text = ok(helper(owner.api, f"{path}/signing", fields))["payload"]
    answer = owner.api.post(path, {**fields, "payload": text, "signature": sign_message(owner.account.key, text)})
    assert answer.json().get("name") in {None, "insufficient_funds"}, answer.text


def test_settlement_helper_takes_the_operation_that_the_partner_uses_or_the_one_asked_for(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    fields = fields_of({connection.id: {"BTC": "-1"}})
    ask = partial(helper, connection.partner.api, SETTLEMENTS, fields, intent="true")
    testbed.network.configure("exchange", amountUnit="decimal", onchainEnabled=True)
    assert (said(ask())["operation"], said(ask())["amountUnit"]) == ("settlement.stage", "decimal")
    onchain = said(ask(operation="settlement.onchain"))
    assert (onchain["operation"], onchain["amountUnit"]) == ("settlement.onchain", "base")
    ok(testbed.operator.patch(f"/partners/{connection.partner.id}", {"clientDisputeWindowMinutes": None}))
    assert said(ask())["operation"] == "settlement.immediate"


@pytest.mark.parametrize(
    "query",
    [
        {"intent": "perhaps"},
        {"expiresInMinutes": "0"},
        {"expiresInMinutes": "43201"},
        {"expiresInMinutes": "-1"},
        {"operation": "allocation"},
    ],
)
def test_wrong_query_is_refused(connection: ConnectionHandle, query: dict[str, str]) -> None:
    fields = fields_of({connection.id: {"BTC": "-1"}})
    refused = helper(connection.partner.api, SETTLEMENTS, fields, **query)
    assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")
    assert next(iter(query)) in refused.json()["error"]


def test_helper_refuses_fields_that_contradict_what_the_text_is_for(connection: ConnectionHandle) -> None:
    api, path, fields, _ = every_helper(connection)[0]
    refused = helper(api, path, {**fields, "operation": "deallocation"}, intent="true")
    assert (refused.status_code, refused.json()["name"]) == (400, "payload_impossible")
    kept = said(helper(api, path, {**fields, "expiresAt": "2026-01-06T00:00:00Z"}, intent="true"))
    assert kept["expiresAt"] == "2026-01-06T00:00:00Z"
