"""The address, the paths and the keys of calls to partners."""

from __future__ import annotations

import httpx2
import pytest

from clearwindow.outbound.client import Outgoing
from clearwindow.runtime import Runtime
from tests.support.networks import CURRENCIES, Json, Network, PartnerHandle, ok
from tests.support.partners import FakePartner, agreeing, silent
from tests.support.settlements import Testbed


def put(network: Network, **settings: object) -> httpx2.Response:
    body = {"currencies": CURRENCIES, "amountUnit": "base", **settings}
    return network.operator.put("/enterprises/exchange/partner-configuration", body)


@pytest.fixture
def exchange(network: Network) -> Network:
    network.enterprise("exchange")
    return network


def test_configuration_is_returned_and_replaced_as_a_whole(exchange: Network) -> None:
    paths = {"allocationClear": "/v1/{id}/done"}
    settings = {"callbackUrl": "https://exchange.example/api", "callbackPaths": paths, "asyncAllocations": True}
    made = ok(put(exchange, **settings))["partnerConfiguration"]
    assert {name: made[name] for name in settings} == settings
    ok(put(exchange, **settings))
    replaced = ok(put(exchange))["partnerConfiguration"]
    assert [replaced.get(name) for name in settings] == [None, {}, False]
    assert len(exchange.operator.audit_log(action="partner_configuration.replaced")) == 2


@pytest.mark.parametrize(
    ("settings", "mentions"),
    [
        ({"callbackUrl": "ftp://exchange.example"}, "callbackUrl"),
        ({"callbackUrl": "https://me:secret@exchange.example"}, "password"),
        ({"callbackUrl": "https://exchange.example/?a"}, "query"),
        ({"callbackUrl": ""}, "callbackUrl"),
        ({"callbackPaths": {"withdrawals": "/x"}}, "there is no call withdrawals"),
        ({"callbackPaths": {"allocationClear": "/x"}}, "must contain {id}"),
        ({"callbackPaths": {"allocations": "/{id}"}}, "must not contain {id}"),
        ({"callbackPaths": {"allocations": "x"}}, "must be a path"),
        ({"callbackPaths": {"allocations": "/a/../b"}}, "must be a path"),
        ({"callbackPaths": {"allocations": "//other.example/x"}}, "must be a path"),
        ({"callbackPaths": {"allocations": "/a?b"}}, "must be a path"),
        ({"asyncAllocations": "yes"}, "asyncAllocations"),
    ],
)
def test_address_or_path_that_cannot_be_called_is_refused(
    exchange: Network, settings: dict[str, object], mentions: str
) -> None:
    refused = put(exchange, **settings)
    assert refused.status_code == 400
    assert mentions in refused.json()["error"]
    assert "secret" not in refused.text


def test_private_address_is_refused_unless_the_settings_allow_it(exchange: Network, runtime: Runtime) -> None:
    runtime.outgoing.allow_private = False
    for url in ("http://exchange.example", "https://127.0.0.1", "https://[fd00::1]:8443/x"):
        refused = put(exchange, callbackUrl=url)
        assert (refused.status_code, refused.json()["name"]) == (400, "callback_url_refused")
    assert Outgoing().allow_private is False


def test_address_that_is_no_longer_allowed_is_not_called_and_listed_as_failing(
    testbed: Testbed, partner_server: FakePartner
) -> None:
    network = testbed.network
    partner = network.partner(callbackUrl=partner_server.url)
    testbed.runtime.outgoing.allow_private = False
    network.connect(network.client(), partner)
    for _ in range(4):
        testbed.pass_minutes(2)
    assert partner_server.seen == []
    (standing,) = ok(network.operator.get("/partner-endpoints"))["partnerEndpoints"]
    assert (standing["circuit"], standing["failures"]) == ("open", 5)
    assert standing["lastError"].startswith("the address must be an address that begins with https://")
    (owed,) = ok(network.operator.get("/partner-calls", owed="true"))["partnerCalls"]
    assert owed["attempts"] == 5


def public_keys(network: Network) -> list[str]:
    shown = httpx2.get(f"{network.operator.base_url}/.well-known/jwks.json", trust_env=False)
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    keys = shown.json()["keys"]
    assert all({"kty": "RSA", "alg": "RS256", "use": "sig"}.items() <= key.items() for key in keys)
    assert not any({"d", "p", "q"} & key.keys() for key in keys)
    return [key["kid"] for key in keys]


def test_new_key_signs_and_the_old_key_stays_public_for_a_day(
    testbed: Testbed, partner_server: FakePartner
) -> None:
    network = testbed.network
    partner = network.partner(callbackUrl=partner_server.url)
    network.connect(network.client("one"), partner)
    (old,) = public_keys(network)
    made = ok(network.operator.post("/partner-call-keys", {"reference": "january"}))["partnerCallKey"]
    again = ok(network.operator.post("/partner-call-keys", {"reference": "january"}))["partnerCallKey"]
    assert again == made
    assert public_keys(network) == [made["id"], old]
    network.connect(network.client("two"), partner)
    testbed.pass_minutes(5)
    network.connect(network.client("three"), partner)
    assert [call.key_id for call in partner_server.seen] == [old, old, made["id"]]
    testbed.pass_minutes(24 * 60 + 1)
    assert public_keys(network) == [made["id"]]
    listed = ok(network.operator.get("/partner-call-keys"))["partnerCallKeys"]
    assert [(key["id"], key["retiredAt"] is None) for key in listed] == [(made["id"], True), (old, False)]


def test_private_key_is_stored_encrypted(network: Network, runtime: Runtime) -> None:
    (shown,) = public_keys(network)
    with runtime.transaction() as tx:
        (sealed,) = tx.scalars(bytes, "SELECT sealed_private FROM partner_call_key")
    assert runtime.vault.decrypt(sealed, context=f"partner-call-key:{shown}")[:1] == b"\x30"
    assert sealed[:1] != b"\x30"


def assert_partner_sees_its_own(network: Network, partner: PartnerHandle, standing: Json) -> None:
    """A partner sees its own endpoint and calls as the operator does, another one none of them."""
    another = network.partner("another")
    own, other = partner.enterprise.api, another.enterprise.api
    assert ok(own.get("/partners/endpoint")) == {"partnerEndpoint": standing | {"called": True}}
    calls = ok(own.get("/partners/calls", owed="true"))["partnerCalls"]
    assert calls == ok(network.operator.get("/partner-calls", owed="true"))["partnerCalls"]
    assert len(calls) == standing["owed"]
    assert "HTTP 500" in {call["lastError"] for call in calls}
    shown = ok(other.get("/partners/endpoint"))["partnerEndpoint"]
    assert (shown["called"], shown["circuit"], shown["owed"]) == (False, "closed", 0)
    assert ok(other.get("/partners/calls", subjectIds=[calls[0]["subjectId"]]))["partnerCalls"] == []
    assert ok(own.get("/partners/calls", owed="false"))["partnerCalls"] == []
    for path in ("endpoint", "calls"):
        refused = network.client("no-partner-" + path).api.get(f"/partners/{path}")
        assert (refused.status_code, refused.json()["name"]) == (403, "not_a_partner")


def test_circuit_opens_for_a_failing_endpoint_and_closes_when_it_answers(
    testbed: Testbed, partner_server: FakePartner
) -> None:
    network = testbed.network
    partner = network.partner(callbackUrl=partner_server.url)
    partner_server.behave = silent
    for number in range(6):
        network.connect(network.client(f"trader-{number}"), partner)
    tried = len(partner_server.seen)
    (standing,) = ok(network.operator.get("/partner-endpoints"))["partnerEndpoints"]
    assert (standing["circuit"], standing["owed"], standing["lastError"]) == ("open", 6, "HTTP 500")
    assert_partner_sees_its_own(network, partner, standing)
    assert testbed.run_due() == 0
    assert len(partner_server.seen) == tried

    testbed.pass_minutes(0.6)
    assert len(partner_server.seen) == tried + 1
    (standing,) = ok(network.operator.get("/partner-endpoints"))["partnerEndpoints"]
    assert (standing["circuit"], standing["failures"]) == ("open", 6)

    partner_server.behave = agreeing
    testbed.pass_minutes(2)
    (standing,) = ok(network.operator.get("/partner-endpoints"))["partnerEndpoints"]
    assert standing["circuit"] == "closed"
    testbed.pass_minutes(10)
    assert ok(network.operator.get("/partner-calls", owed="true"))["partnerCalls"] == []
    assert testbed.operator.check() == []
