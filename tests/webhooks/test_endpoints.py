"""How an enterprise manages its webhook endpoints. Protocol §9."""

from __future__ import annotations

import base64

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from clearwindow.webhooks.fan_out import fan_out
from tests.support.networks import Network
from tests.support.operators import READ, OperatorClient
from tests.webhooks.support import Hooks, hooks_of

URL = "https://trader.example/hooks"


@pytest.fixture
def hooks(network: Network) -> Hooks:
    network.client("trader")
    return hooks_of(network, "trader")


def test_endpoint_is_created_read_changed_and_deleted(hooks: Hooks) -> None:
    made = hooks.make(URL, description="the desk", eventTypes=["settlement.initiated", "balance.changed"])
    endpoint = made["webhookEndpoint"]
    assert endpoint["url"] == URL
    assert endpoint["enabled"] is True
    assert endpoint["eventTypes"] == ["balance.changed", "settlement.initiated"]
    assert hooks.show(endpoint["id"]) == endpoint
    changed = hooks.call("PATCH", f"/{endpoint['id']}", {"enabled": False, "eventTypes": None}).json()
    assert changed["webhookEndpoint"]["enabled"] is False
    assert changed["webhookEndpoint"]["disabledReason"] == "asked"
    assert changed["webhookEndpoint"]["eventTypes"] is None
    assert hooks.call("DELETE", f"/{endpoint['id']}").status_code == 204
    assert hooks.call("GET", f"/{endpoint['id']}").status_code == 404
    assert hooks.call("GET").json() == {"webhookEndpoints": []}
    assert hooks.call("DELETE", f"/{endpoint['id']}").status_code == 404


def test_secret_is_shown_once_and_stored_encrypted(hooks: Hooks, runtime: Runtime) -> None:
    made = hooks.make(URL)
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    assert len(secret) == 32
    assert "secret" not in hooks.call("GET", f"/{made['webhookEndpoint']['id']}").text
    with runtime.transaction() as tx:
        stored = tx.scalars(bytes, "SELECT encrypted_keys FROM webhook_secret")
    assert len(stored) == 1
    assert secret not in stored[0]


def test_old_secret_stays_valid_for_a_day_after_rotation(hooks: Hooks, clock: ManualClock) -> None:
    made = hooks.make(URL)
    endpoint_id = made["webhookEndpoint"]["id"]
    second = hooks.call("POST", f"/{endpoint_id}/rotate-secret").json()
    assert second["secret"] != made["secret"]
    both = [second["webhookEndpoint"]["publicKeys"][0], made["webhookEndpoint"]["publicKeys"][0]]
    assert hooks.show(endpoint_id)["publicKeys"] == both
    third = hooks.call("POST", f"/{endpoint_id}/rotate-secret").json()
    assert hooks.show(endpoint_id)["publicKeys"] == [third["webhookEndpoint"]["publicKeys"][0], both[0]]
    clock.advance(minutes=24 * 60)
    assert hooks.show(endpoint_id)["publicKeys"] == third["webhookEndpoint"]["publicKeys"]


def test_every_change_of_an_endpoint_is_told_to_the_others(
    hooks: Hooks, operator: OperatorClient, runtime: Runtime
) -> None:
    """No change of an endpoint is signed, so whoever has a token could send the events elsewhere unseen."""
    watching = hooks.make("https://trader.example/watch")["webhookEndpoint"]["id"]
    made = hooks.make(f"{URL}?key=1")["webhookEndpoint"]["id"]
    hooks.call("PATCH", f"/{made}", {"url": "https://elsewhere.example/", "enabled": False})
    hooks.call("PATCH", f"/{made}", {"enabled": False})
    hooks.call("POST", f"/{made}/rotate-secret")
    hooks.call("DELETE", f"/{made}")
    told = [event for event in operator.events(types="webhook_endpoint.changed") if event["subjectId"] == made]
    shown = [(one["payload"]["change"], one["payload"]["url"]) for one in reversed(told)]
    elsewhere = "https://elsewhere.example/"
    assert shown == [
        ("created", URL),
        ("changed", elsewhere),
        ("secret_rotated", elsewhere),
        ("deleted", elsewhere),
    ]
    assert told[2]["payload"]["changedFields"] == ["url", "enabled"]
    assert {one["payload"]["changedBy"] for one in told} == {"user-of-trader"}
    assert {one["enterpriseId"] for one in told} == {"trader"}
    fan_out(runtime)
    assert [one["eventType"] for one in hooks.deliveries(watching)] == ["webhook_endpoint.changed"] * 4


def test_an_endpoint_gets_no_event_of_its_own_changes(hooks: Hooks, runtime: Runtime) -> None:
    made = hooks.make(URL)["webhookEndpoint"]["id"]
    hooks.call("POST", f"/{made}/rotate-secret")
    fan_out(runtime)
    assert hooks.deliveries(made) == []
    assert hooks.call("POST", f"/{made}/replay", {"from": "2026-01-01T00:00:00Z"}).json() == {"replayed": 0}


def test_another_enterprises_endpoint_is_not_found(hooks: Hooks, network: Network) -> None:
    endpoint_id = hooks.make(URL)["webhookEndpoint"]["id"]
    network.client("other")
    other = hooks_of(network, "other")
    assert other.call("GET").json() == {"webhookEndpoints": []}
    nobodys = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
    calls = [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/replay", {"from": "2026-01-01T00:00:00Z"}),
        ("GET", "/deliveries", None),
        ("GET", "/attempts", None),
    ]
    for method, path, body in calls:
        answers = [other.call(method, f"/{each}{path}", body) for each in (endpoint_id, nobodys, "no-uuid")]
        assert [answer.status_code for answer in answers] == [404, 404, 404], (method, path)
        assert {answer.json()["error"] for answer in answers} == {
            "the enterprise has no webhook endpoint with this id"
        }
    assert hooks.show(endpoint_id)["enabled"] is True


def test_read_scope_reads_but_does_not_change(hooks: Hooks, network: Network) -> None:
    endpoint_id = hooks.make(URL)["webhookEndpoint"]["id"]
    reader = hooks_of(network, "trader", scopes=(READ,))
    assert reader.show(endpoint_id)["id"] == endpoint_id
    refused = [reader.call("POST", body={"url": URL}), reader.call("DELETE", f"/{endpoint_id}")]
    assert [answer.status_code for answer in refused] == [403, 403]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "url: is required"),
        ({"url": ""}, "url: must not be empty"),
        ({"url": "ftp://trader.example/"}, "url: must be an address that begins with"),
        ({"url": "https://user:pass@trader.example/"}, "url: must not carry a user or a password"),
        ({"url": "https://trader.example/#part"}, "fragment"),
        ({"url": "https://" + "a" * 3000}, "url: "),
        ({"url": "no address"}, "url: must be an address"),
        ({"url": URL, "eventTypes": []}, "eventTypes: "),
        ({"url": URL, "eventTypes": ["settlement.lost"]}, "there is no event type 'settlement.lost'"),
        ({"url": URL, "eventTypes": ["webhook_endpoint.test"]}, "there is no event type"),
        ({"url": URL, "eventTypes": ["dispute.closed", "dispute.closed"]}, "names an event type twice"),
        ({"url": URL, "secret": "mine"}, "secret: is not a field of this request"),
    ],
)
def test_invalid_endpoint_is_refused(hooks: Hooks, body: dict[str, object], says: str) -> None:
    refused = hooks.call("POST", body=body)
    assert refused.status_code == 400
    assert says in refused.json()["error"]
    assert hooks.call("GET").json() == {"webhookEndpoints": []}


@pytest.mark.parametrize(
    "body",
    [{}, {"url": None}, {"enabled": None}, {"enabled": "yes"}, {"url": "http://[::1"}, {"status": "enabled"}],
)
def test_invalid_change_is_refused(hooks: Hooks, body: dict[str, object]) -> None:
    made = hooks.make(URL)["webhookEndpoint"]
    assert hooks.call("PATCH", f"/{made['id']}", body).status_code == 400
    assert hooks.show(made["id"]) == made


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"eventId": "no-uuid"},
        {"until": "2026-01-01T00:00:00Z"},
        {"eventId": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39", "from": "2026-01-01T00:00:00Z"},
        {"eventId": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39", "onlyMissed": True},
        {"from": "2026-01-01"},
    ],
)
def test_ambiguous_replay_is_refused(hooks: Hooks, body: dict[str, object]) -> None:
    endpoint_id = hooks.make(URL)["webhookEndpoint"]["id"]
    assert hooks.call("POST", f"/{endpoint_id}/replay", body).status_code == 400


def test_the_number_of_endpoints_is_limited(hooks: Hooks) -> None:
    for _ in range(50):
        hooks.make(URL)
    refused = hooks.call("POST", body={"url": URL})
    assert refused.status_code == 422
    assert refused.json()["name"] == "too_many_webhook_endpoints"
