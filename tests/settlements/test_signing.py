"""The signing helper of settlements: what it gives, signed, is accepted. Protocol §3."""

from __future__ import annotations

import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import ok
from tests.support.settling import Floor, fields_of, post


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_the_helper_gives_is_what_to_sign(floor: Floor, method: str) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
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


def test_the_helper_refuses_what_could_not_be_sent(floor: Floor) -> None:
    partner = floor.network.partner()
    path = "/partners/settlements-signing"
    fields = fields_of({"not-a-connection": {"BTC": "-1"}})
    assert partner.api.post(path, fields).json()["name"] == "request_invalid"
    fields = fields_of({partner.id: {"BTC": "-1"}}, enterpriseId="another")
    assert partner.api.post(path, fields).json()["name"] == "payload_impossible"
    client = floor.network.client()
    assert client.api.post(path, fields_of({partner.id: {"BTC": "-1"}})).status_code == 403


@pytest.mark.parametrize("where", ["body", "payload", "both"])
def test_the_paths_own_id_may_be_on_either_side(floor: Floor, where: str) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    fields = fields_of({connection.id: {"BTC": "-1"}})
    named = {**fields, "enterpriseId": partner.enterprise.id}
    signed = partner.enterprise.sign(fields if where == "body" else named)
    body = {
        **(fields if where == "payload" else named),
        "payload": signed["payload"],
        "signature": signed["signature"],
    }
    assert ok(post(partner, body))["settlement"]["status"] == "pending"
