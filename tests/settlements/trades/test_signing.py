"""The signing helper of trades: the exact text of a trade that the partner could report. Protocol §3."""

from __future__ import annotations

import json

import pytest

from tests.support.networks import ConnectionHandle, Json, Network, new_nonce, ok
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

PATH = "/partners/trades/signing"
UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


@pytest.fixture
def connection(network: Network) -> ConnectionHandle:
    partner = network.partner(amountUnit="decimal")
    return network.connect(network.client(), partner)


def fields(connection: ConnectionHandle, **changes: object) -> Json:
    trade = {
        "externalId": "trade 1",
        "externalOrderId": "order 1",
        "partyConnectionId": connection.id,
        "tradedAt": "2026-01-05T11:00:00.000Z",
        "base": {"currency": "BTC", "quantity": "0.5"},
        "quote": {"currency": "USD", "quantity": "-40000.01"},
        **changes,
    }
    return {"trade": {name: value for name, value in trade.items() if value is not None}, "nonce": new_nonce()}


def test_text_to_sign_has_exactly_the_given_fields(connection: ConnectionHandle) -> None:
    api = connection.partner.api
    counterparty = connection.id
    bought = fields(connection)
    sold = fields(
        connection,
        counterpartyConnectionId=counterparty,
        base={"currency": "BTC", "quantity": "-1"},
        quote={"currency": "USD", "quantity": "3"},
    )
    corrected = fields(connection) | {
        "tradeCorrection": {"externalId": "trade 0", "correctingUser": "ann", "reason": "wrong price, 1 € off"}
    }
    named = fields(connection) | {"enterpriseId": connection.partner.enterprise.id}
    without_id = fields(connection) | {"tradeCorrection": {"correctingUser": "ann", "reason": "wrong side"}}
    for given in (bought, sold, corrected, named, without_id):
        payload = ok(api.get(PATH, body=given))["payload"]
        assert json.loads(payload) == given
        assert payload == json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def test_invalid_trade_is_refused(testbed: Testbed, connection: ConnectionHandle) -> None:
    network = testbed.network
    foreign = network.connect(connection.client, network.partner("rival"), "elsewhere")
    good = fields(connection)
    correction = {"correctingUser": "ann", "reason": "wrong price"}
    cases: list[tuple[Json, str, str]] = [
        (fields(connection, base={"currency": "BTC", "quantity": "-0.5"}), "request_invalid", "trade"),
        (fields(connection, quote={"currency": "USD", "quantity": "4"}), "request_invalid", "one negative"),
        (fields(connection, quote={"currency": "USD", "quantity": "0"}), "request_invalid", "one negative"),
        (fields(connection, quote={"currency": "USD", "quantity": "-0.00"}), "request_invalid", "one negative"),
        (fields(connection, quote={"currency": "USD", "quantity": "1e3"}), "request_invalid", "quote.quantity"),
        (fields(connection, quote={"currency": "USD", "quantity": -4}), "request_invalid", "quote.quantity"),
        (fields(connection, quote={"currency": "USD", "quantity": "-0.001"}), "amount_unfit", "quote.quantity"),
        (fields(connection, quote={"currency": "XYZ", "quantity": "-1"}), "currency_unmapped", "quote.currency"),
        (fields(connection, base=None), "request_invalid", "trade.base"),
        (fields(connection, externalId=""), "request_invalid", "trade.externalId"),
        (fields(connection, externalOrderId=None), "request_invalid", "trade.externalOrderId"),
        (fields(connection, tradedAt="yesterday"), "request_invalid", "trade.tradedAt"),
        (fields(connection, color="red"), "request_invalid", "trade.color"),
        (fields(connection, partyConnectionId="nonsense"), "request_invalid", "partyConnectionId"),
        (fields(connection, partyConnectionId=UNKNOWN), "connection_unknown", "trade.partyConnectionId"),
        (fields(connection, partyConnectionId=foreign.id), "connection_unknown", "trade.partyConnectionId"),
        (
            fields(connection, counterpartyConnectionId=foreign.id),
            "connection_unknown",
            "trade.counterpartyConnectionId",
        ),
        (good | {"tradeCorrection": {"reason": "wrong price"}}, "request_invalid", "correctingUser"),
        (good | {"tradeCorrection": {**correction, "externalId": ""}}, "request_invalid", "externalId"),
        (good | {"enterpriseId": "another"}, "payload_impossible", "enterpriseId"),
        ({"trade": good["trade"]}, "request_invalid", "nonce"),
        ({"nonce": "n"}, "request_invalid", "trade"),
    ]
    for given, name, mentions in cases:
        with nothing_written(testbed.runtime):
            refused = connection.partner.api.get(PATH, body=given)
        assert (refused.status_code, refused.json()["name"]) == (400, name), (given, refused.text)
        assert mentions in refused.json()["error"], refused.text
    assert connection.partner.api.get(PATH).status_code == 400


def test_base_units_with_decimals_are_refused(network: Network) -> None:
    partner = network.partner(amountUnit="base")
    connection = network.connect(network.client(), partner)
    refused = partner.api.get(PATH, body=fields(connection))
    assert (refused.status_code, refused.json()["name"]) == (400, "amount_unfit")
    whole = {"currency": "USD", "quantity": "-4000001"}
    ok(partner.api.get(PATH, body=fields(connection, base={"currency": "BTC", "quantity": "5"}, quote=whole)))


def test_caller_that_is_no_partner_is_refused(connection: ConnectionHandle) -> None:
    refused = connection.client.api.get(PATH, body=fields(connection))
    assert (refused.status_code, refused.json()["name"]) == (403, "not_a_partner")
