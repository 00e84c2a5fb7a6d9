"""Custodian keys sign within a limit per UTC day and currency, which the enterprise sets. Protocol §3."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Final

import httpx2
import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from tests.support.approvals import decide, refusal, user
from tests.support.http import loopback_client
from tests.support.networks import TIMEOUT_SECONDS, Json, Network, NetworkClient, new_nonce, ok
from tests.support.operators import OperatorClient
from tests.support.races import at_once

LIMITS: Final = "/custodian-limits"
CONNECTION: Final = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


class Custodian:
    """An enterprise with a custodian key, and two users."""

    def __init__(self, network: Network, enterprise_id: str, account_id: str) -> None:
        self.operator = network.operator
        self.enterprise_id = enterprise_id
        self.anna, self.berta = (user(network, enterprise_id, name) for name in ("anna", "berta"))
        self._token = self.operator.user_token(enterprise_id, "anna")
        self._path = f"/api/v2/ofc/wallet/{account_id}/tx/sign"

    def sign(self, text: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        with loopback_client(base_url=self.operator.base_url, timeout=TIMEOUT_SECONDS) as web:
            return web.post(self._path, json={"payload": text}, headers=headers)

    def allocate(self, quantity: int, currency: str = "ofcbtc") -> httpx2.Response:
        return self.sign(allocation(quantity, currency))

    def limit(self, api: NetworkClient, **limits: int | None) -> Json:
        return ok(set_limits(api, limits))


def allocation(quantity: int, currency: str = "ofcbtc") -> str:
    amount = {"currency": currency, "quantity": str(quantity)}
    return json.dumps({"amount": amount, "clientExternalId": new_nonce(), "nonce": new_nonce()})


def settlement(amounts: Json, **more: object) -> str:
    fields = {"externalId": new_nonce(), "nonce": new_nonce(), "settlementAmounts": {CONNECTION: amounts}}
    return json.dumps({**fields, **more})


def set_limits(api: NetworkClient, limits: dict[str, int | None]) -> httpx2.Response:
    given = {name: None if quantity is None else str(quantity) for name, quantity in limits.items()}
    return api.put(LIMITS, {"thresholds": given})


@pytest.fixture
def acme(network: Network, operator: OperatorClient) -> Custodian:
    operator.enterprise("acme")
    account = ok(operator.post("/enterprises/acme/go-accounts", {"custodianKey": True}))["goAccount"]
    return Custodian(network, "acme", account["id"])


@pytest.fixture
def partner(network: Network, operator: OperatorClient) -> Custodian:
    """A partner whose amounts are decimals."""
    made = network.partner("exchange", amountUnit="decimal")
    account = ok(operator.post("/enterprises/exchange/go-accounts", {"custodianKey": True}))["goAccount"]
    return Custodian(network, made.enterprise.id, account["id"])


def test_nothing_is_signed_beyond_the_limit_of_a_day(acme: Custodian, clock: ManualClock) -> None:
    acme.limit(acme.anna, ofcbtc=100)
    assert ok(acme.anna.get(LIMITS)) == {"thresholds": {"ofcbtc": "100"}}
    ok(acme.allocate(60))
    refused = acme.allocate(41)
    assert refusal(refused) == (422, "custodian_limit_exceeded")
    assert refused.json()["details"] == {
        "currency": "ofcbtc",
        "limit": "100",
        "signedToday": "60",
        "quantity": "41",
    }
    ok(acme.allocate(40, "btc"))
    assert refusal(acme.allocate(1)) == (422, "custodian_limit_exceeded")
    ok(acme.allocate(1_000, "ofcusd"))

    clock.advance(minutes=12 * 60 - 0.01)
    assert refusal(acme.allocate(1)) == (422, "custodian_limit_exceeded")
    clock.advance(minutes=0.01)
    ok(acme.allocate(100))
    assert refusal(acme.allocate(1)) == (422, "custodian_limit_exceeded")


def test_what_was_signed_before_a_limit_counts(acme: Custodian) -> None:
    ok(acme.allocate(60))
    acme.limit(acme.anna, ofcbtc=100)
    assert refusal(acme.allocate(41)) == (422, "custodian_limit_exceeded")
    acme.limit(acme.anna, ofcbtc=10)
    assert refusal(acme.allocate(1)) == (422, "custodian_limit_exceeded")


def test_the_same_text_counts_once(acme: Custodian) -> None:
    acme.limit(acme.anna, ofcbtc=100)
    text = allocation(60)
    first = ok(acme.sign(text))
    assert [ok(acme.sign(text)) for _ in range(3)] == [first] * 3
    ok(acme.allocate(40))
    assert ok(acme.sign(text)) == first


def test_what_is_refused_counts_nothing(acme: Custodian) -> None:
    acme.limit(acme.anna, ofcbtc=100)
    refused = allocation(101)
    assert refusal(acme.sign(refused)) == (422, "custodian_limit_exceeded")
    assert refusal(acme.sign('{"pay":"me"}')) == (422, "payload_of_no_operation")
    other = json.loads(allocation(1)) | {"enterpriseId": "beta"}
    assert refusal(acme.sign(json.dumps(other))) == (403, "payload_of_another_enterprise")
    assert refusal(acme.allocate(1, "nope")) == (400, "currency_unknown")
    ok(acme.allocate(100))
    assert refusal(acme.sign(refused)) == (422, "custodian_limit_exceeded")
    assert len(acme.operator.audit_log(action="payload.signed")) == 1


def test_a_sum_beyond_all_money_is_refused(acme: Custodian) -> None:
    ok(acme.allocate(10**78 - 1))
    assert refusal(acme.allocate(1)) == (422, "base_units_78_digits")


def test_texts_at_the_same_instant_stay_within_the_limit(acme: Custodian, dsn: str) -> None:
    acme.limit(acme.anna, ofcbtc=100, ofcusd=100)
    texts = [allocation(30, currency) for currency in ("ofcbtc", "ofcusd") for _ in range(8)]
    answers = at_once([partial(acme.sign, text) for text in texts])
    assert Counter(answer.status_code for answer in answers) == {200: 6, 422: 10}
    same = allocation(10)
    assert {answer.status_code for answer in at_once([partial(acme.sign, same)] * 8)} == {200}
    with psycopg.connect(dsn) as database:
        sums = database.execute("SELECT currency, quantity FROM custodian_day ORDER BY currency").fetchall()
    assert [(currency, int(quantity)) for currency, quantity in sums] == [("ofcbtc", 100), ("ofcusd", 90)]


def test_a_partners_settlements_count_in_our_base_units(partner: Custodian) -> None:
    partner.limit(partner.anna, ofcbtc=200_000_000)
    ok(partner.sign(settlement({"BTC": "-1.50", "USD": "3"})))
    assert refusal(partner.sign(settlement({"BTC": "0.50000001"}))) == (422, "custodian_limit_exceeded")
    ok(partner.sign(settlement({"BTC": "0.4"}, cutoffAt="2026-01-05T12:00:00Z")))
    ok(partner.sign(settlement({"BTC": "10000000"}, operation="settlement.onchain")))
    assert refusal(partner.sign(settlement({"BTC": "1"}))) == (422, "custodian_limit_exceeded")
    assert refusal(partner.sign(settlement({"DOGE": "1"}))) == (400, "currency_unmapped")
    assert refusal(partner.sign(settlement({"USD": "1.0000000001"}))) == (400, "amount_unfit")


def test_a_higher_limit_needs_a_second_user(partner: Custodian) -> None:
    partner.limit(partner.anna, ofcbtc=100_000_000)
    [pending] = partner.limit(partner.anna, ofcbtc=None)["pendingApprovals"]
    assert (pending["type"], pending["quantity"], pending["threshold"]) == ("custodian_limit", None, "100000000")
    assert refusal(set_limits(partner.berta, {"ofcbtc": 300_000_000})) == (409, "threshold_change_waiting")
    assert refusal(decide(partner.anna, pending["id"], "approved")) == (403, "own_approval")
    assert refusal(partner.sign(settlement({"BTC": "2"}))) == (422, "custodian_limit_exceeded")
    ok(decide(partner.berta, pending["id"], "approved"))
    assert ok(partner.berta.get(LIMITS)) == {"thresholds": {}}
    ok(partner.sign(settlement({"BTC": "2"})))
    partner.limit(partner.berta, ofcbtc=1)
    assert refusal(partner.sign(settlement({"BTC": "2"}))) == (422, "custodian_limit_exceeded")


def test_limits_are_no_thresholds_of_allocations(network: Network, acme: Custodian) -> None:
    ok(acme.anna.post("/clients"))
    acme.limit(acme.anna, ofcbtc=1)
    assert ok(acme.anna.get("/clients/approval-thresholds")) == {"thresholds": {}}
    assert ok(acme.anna.get("/clients/daily-approval-thresholds")) == {"thresholds": {}}
    network.operator.enterprise("beta")
    assert ok(user(network, "beta", "bruno").get(LIMITS)) == {"thresholds": {}}


def test_malformed_limits_change_nothing(acme: Custodian) -> None:
    for bad in ({}, {"ofcbtc": "-1"}, {"ofcbtc": "1.5"}, {"ofcbtc": 1}, {"ofcbtc": "1" * 79}, {"nope": "1"}):
        assert acme.anna.put(LIMITS, {"thresholds": bad}).status_code == 400, bad
    twice = {"thresholds": {"ofcbtc": "1", "btc": "2"}}
    assert refusal(acme.anna.put(LIMITS, twice)) == (400, "currency_twice")
    assert ok(acme.anna.get(LIMITS)) == {"thresholds": {}}


def test_texts_of_the_signing_helpers_are_signed(network: Network, operator: OperatorClient) -> None:
    partner = network.partner("exchange")
    operator.enterprise("acme")
    account = ok(operator.post("/enterprises/acme/go-accounts", {"custodianKey": True}))["goAccount"]
    acme = Custodian(network, "acme", account["id"])
    ok(acme.anna.post("/clients"))
    operator.deposit(account["id"], "ofcbtc", 50)

    def signed(path: str, fields: Json) -> Json:
        text = ok(acme.anna.post(f"{path}/signing", fields))["payload"]
        return fields | {"payload": text, "signature": ok(acme.sign(text))["signature"]}

    key = {"schema": "token", "connectionToken": "x"}
    fields = {"partnerId": partner.id, "name": "main", "nonce": new_nonce(), "connectionKey": key}
    made = ok(acme.anna.post("/clients/connections", signed("/clients/connections", fields)))["connection"]
    for direction in ("allocations", "deallocations"):
        path = f"/clients/connections/{made['id']}/{direction}"
        amount = {"currency": "ofcbtc", "quantity": "5"}
        body = signed(path, {"amount": amount, "clientExternalId": new_nonce(), "nonce": new_nonce()})
        assert acme.anna.post(path, body).status_code == 200
