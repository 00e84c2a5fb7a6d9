"""The signing helper of settlements: its text, once signed, is accepted. Protocol §3."""

from __future__ import annotations

import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import ok
from tests.support.settlements import Testbed, fields_of, post


@pytest.mark.parametrize("method", ["get", "post"])
def test_signed_text_of_the_helper_is_accepted(testbed: Testbed, method: str) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    fields = fields_of({connection.id: {"BTC": "-1"}}, notes="grüße, 12 €")
    path = "/partners/settlements-signing"

    payload = ok(partner.api.get(path, body=fields) if method == "get" else partner.api.post(path, fields))[
        "payload"
    ]

    signature = sign_message(partner.enterprise.account.key, payload)
    assert (
        ok(post(partner, {**fields, "payload": payload, "signature": signature}))["settlement"]["status"]
        == "pending"
    )


def test_signing_helper_refuses_fields_that_could_not_be_sent(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    path = "/partners/settlements-signing"
    fields = fields_of({"not-a-connection": {"BTC": "-1"}})
    assert partner.api.post(path, fields).json()["name"] == "request_invalid"
    fields = fields_of({partner.id: {"BTC": "-1"}}, enterpriseId="another")
    assert partner.api.post(path, fields).json()["name"] == "payload_impossible"
    client = testbed.network.client()
    assert client.api.post(path, fields_of({partner.id: {"BTC": "-1"}})).status_code == 403


@pytest.mark.parametrize("where", ["body", "payload", "both"])
def test_enterprise_id_may_be_only_in_the_body_or_only_in_the_payload(testbed: Testbed, where: str) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    fields = fields_of({connection.id: {"BTC": "-1"}})
    named = {**fields, "enterpriseId": partner.enterprise.id}
    signed = partner.enterprise.sign(fields if where == "body" else named)
    body = {
        **(fields if where == "payload" else named),
        "payload": signed["payload"],
        "signature": signed["signature"],
    }
    assert ok(post(partner, body))["settlement"]["status"] == "pending"
