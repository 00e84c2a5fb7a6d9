"""Deliveries: signed, in order, retried and finally dropped. Protocol §9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from clearwindow.webhooks import deliveries, fan_out
from clearwindow.webhooks.models import Answer
from tests.support.networks import ClientHandle, Network
from tests.support.receivers import Receiver, answering, receiving
from tests.support.settlements import Testbed, stage
from tests.webhooks.support import Hooks, deliver, hooks_of, verified_v1a


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def trader(network: Network) -> ClientHandle:
    return network.client("trader", deposits={"ofcbtc": 100})


@pytest.fixture
def hooks(network: Network, trader: ClientHandle) -> Hooks:
    return hooks_of(network, trader.enterprise.id)


def test_message_is_signed_in_both_schemes(hooks: Hooks, receiver: Receiver, runtime: Runtime) -> None:
    made = hooks.make(receiver.url)
    event_id = hooks.test(made["webhookEndpoint"]["id"])
    assert deliver(runtime) == 1
    message = receiver.received[0]
    assert message.id == event_id
    assert message.type == "webhook_endpoint.test"
    assert Webhook(made["secret"]).verify(message.body, message.headers) == json.loads(message.body)
    assert verified_v1a(message, made["webhookEndpoint"]["publicKeys"][0])
    forged = message.body.replace(b"test", b"tess")
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(forged, message.headers)


def test_after_a_rotation_both_secrets_verify(hooks: Hooks, receiver: Receiver, runtime: Runtime) -> None:
    first = hooks.make(receiver.url)
    endpoint_id = first["webhookEndpoint"]["id"]
    second = hooks.call("POST", f"/{endpoint_id}/rotate-secret").json()
    hooks.test(endpoint_id)
    deliver(runtime)
    message = receiver.received[0]
    for made in (first, second):
        Webhook(made["secret"]).verify(message.body, message.headers)
        assert verified_v1a(message, made["webhookEndpoint"]["publicKeys"][0])


def test_partner_and_client_get_the_events_of_a_settlement_in_order(
    testbed: Testbed, receiver: Receiver, runtime: Runtime
) -> None:
    partner = testbed.network.partner(deposits={"ofcbtc": 1000})
    connection = testbed.network.funded(partner, {"ofcbtc": 500}, name="fund")
    with receiving() as partners:
        hooks_of(testbed.network, partner.enterprise.id).make(partners.url)
        hooks_of(testbed.network, "fund").make(receiver.url)
        settlement = stage(partner, {connection.id: {"BTC": "-200"}})
        testbed.pass_minutes(10)
        testbed.pass_minutes(10)
        assert deliver(runtime) == 6
        expected = ["settlement.initiated", "settlement.finalizing", "settlement.completed"]
        assert receiver.types() == expected
        assert partners.types() == expected
    data = receiver.received[0].json["data"]
    assert data["settlementId"] == settlement["id"]
    assert data["connectionIds"] == [connection.id]


def test_endpoint_gets_only_the_event_types_that_it_names(
    testbed: Testbed, receiver: Receiver, runtime: Runtime
) -> None:
    partner = testbed.network.partner(deposits={"ofcbtc": 1000})
    connection = testbed.network.funded(partner, {"ofcbtc": 500}, name="fund")
    hooks_of(testbed.network, "fund").make(receiver.url, eventTypes=["balance.changed", "settlement.completed"])
    stage(partner, {connection.id: {"BTC": "-200"}})
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    deliver(runtime)
    assert sorted(receiver.types()) == ["balance.changed", "settlement.completed"]


def test_failed_message_is_sent_again_before_later_ones(
    hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock
) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    first, second = hooks.test(endpoint_id), hooks.test(endpoint_id)
    receiver.behaviour = answering(500)
    assert deliver(runtime) == 0
    assert [message.id for message in receiver.received] == [first]
    shown = hooks.show(endpoint_id)
    assert shown["failures"] == 1
    assert shown["retryAt"] > shown["failingSince"]
    receiver.behaviour = answering(200, body=b"<html>thanks</html>")
    assert deliver(runtime) == 0
    clock.advance(minutes=0.2)
    assert deliver(runtime) == 2
    assert [message.id for message in receiver.received] == [first, first, second]
    assert receiver.received[0].body == receiver.received[1].body
    assert hooks.show(endpoint_id)["failures"] == 0
    tried = [(each["eventId"], each["number"], each.get("statusCode")) for each in hooks.attempts(endpoint_id)]
    assert sorted(tried) == sorted([(first, 1, 500), (first, 2, 200), (second, 1, 200)])
    assert [each["status"] for each in hooks.deliveries(endpoint_id)] == ["delivered", "delivered"]


def test_retry_after_is_respected(hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    for header in ("600", later):
        receiver.behaviour = answering(503, {"Retry-After": header})
        deliver(runtime)
        clock.advance(minutes=9)
        tried = len(receiver.received)
        deliver(runtime)
        assert len(receiver.received) == tried
        clock.advance(minutes=2)
    receiver.behaviour = answering(204)
    assert deliver(runtime) == 1


def test_answer_410_disables_the_endpoint_and_records_an_event(
    hooks: Hooks, receiver: Receiver, runtime: Runtime
) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    with receiving() as second:
        hooks.make(second.url, eventTypes=["webhook_endpoint.disabled"])
        receiver.behaviour = answering(410)
        deliver(runtime)
        deliver(runtime)
        assert second.types() == ["webhook_endpoint.disabled"]
        assert second.received[0].json["data"]["reason"] == "gone"
    assert hooks.show(endpoint_id)["disabledReason"] == "gone"
    refused = hooks.call("POST", f"/{endpoint_id}/test")
    assert refused.status_code == 409
    assert hooks.call("PATCH", f"/{endpoint_id}", {"enabled": True}).status_code == 200
    receiver.behaviour = answering(204)
    assert deliver(runtime) == 2
    assert receiver.types()[-2:] == ["webhook_endpoint.test", "webhook_endpoint.changed"]


def test_endpoint_that_fails_for_days_is_disabled(
    hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock
) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    receiver.behaviour = answering(500)
    for _ in range(6 * 4):
        if hooks.show(endpoint_id)["enabled"]:
            hooks.test(endpoint_id)
        deliver(runtime)
        clock.advance(minutes=6 * 60)
    shown = hooks.show(endpoint_id)
    assert shown["disabledReason"] == "failing"
    assert 10 < len(receiver.received) < 40
    assert {each["status"] for each in hooks.deliveries(endpoint_id)} == {"owed", "dropped"}


def test_message_that_is_too_old_is_dropped_and_the_next_is_sent(
    hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock
) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    receiver.behaviour = answering(500)
    deliver(runtime)
    clock.advance(minutes=3 * 24 * 60 - 1)
    second = hooks.test(endpoint_id)
    clock.advance(minutes=2)
    receiver.behaviour = answering(204)
    assert deliver(runtime) == 2
    assert receiver.received[1].id == second
    assert receiver.types()[2:] == ["webhook_endpoint.recovered"]


def test_missed_events_are_replayed(
    hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock, trader: ClientHandle, network: Network
) -> None:
    start = "2026-01-01T00:00:00.000Z"
    partner = network.partner()
    network.connect(trader, partner, "before")
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    clock.advance(minutes=1)
    network.connect(trader, partner, "after")
    deliver(runtime)
    assert receiver.types() == ["connection.created"]
    received_id = receiver.received[0].id
    # The range excludes the present, so the clock must move past the delivered event.
    clock.advance(minutes=1)
    missed = hooks.call("POST", f"/{endpoint_id}/replay", {"from": start, "onlyMissed": True}).json()
    assert missed == {"replayed": 1}
    assert hooks.call("POST", f"/{endpoint_id}/replay", {"from": start, "onlyMissed": True}).json()["replayed"] == 0
    deliver(runtime)
    assert hooks.call("POST", f"/{endpoint_id}/replay", {"eventId": received_id}).json() == {"replayed": 1}
    deliver(runtime)
    assert [message.id for message in receiver.received] == [received_id, receiver.received[1].id, received_id]
    assert receiver.received[2].body == receiver.received[0].body
    everything = hooks.call("POST", f"/{endpoint_id}/replay", {"from": start, "until": "2026-02-01T00:00:00Z"})
    assert everything.json() == {"replayed": 2}


def test_another_enterprises_event_is_not_replayed(
    hooks: Hooks, receiver: Receiver, network: Network, trader: ClientHandle
) -> None:
    partner = network.partner()
    network.connect(network.client("other"), partner)
    theirs = network.operator.events(enterpriseId="other")[0]["id"]
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    refused = hooks.call("POST", f"/{endpoint_id}/replay", {"eventId": theirs})
    assert refused.status_code == 404
    assert hooks.deliveries(endpoint_id) == []
    assert trader.id


def test_deleted_endpoint_gets_nothing_more(hooks: Hooks, receiver: Receiver, runtime: Runtime) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    assert hooks.call("DELETE", f"/{endpoint_id}").status_code == 204
    assert deliver(runtime) == 0
    assert receiver.received == []


@pytest.mark.parametrize("change", [{"url": "http://127.0.0.1:1/"}, {"enabled": True}])
def test_failure_before_a_change_does_not_count_against_the_changed_endpoint(
    hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock, change: dict[str, object]
) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    receiver.behaviour = answering(500)
    deliver(runtime)
    clock.advance(minutes=1)
    in_hand = deliveries.claim(runtime, 1)[0]
    assert hooks.call("PATCH", f"/{endpoint_id}", {"description": "moved", **change}).status_code == 200
    deliveries.finish(runtime, in_hand, [Answer(clock.now(), 1, 410, "it answered 410")], 0.5)
    shown = hooks.show(endpoint_id)
    assert (shown["enabled"], shown["failures"], shown.get("retryAt")) == (True, 0, None)
    assert [each.get("statusCode") for each in hooks.attempts(endpoint_id)] == [410, 500]
    assert [each["status"] for each in hooks.deliveries(endpoint_id)] == ["owed"]
    assert len(deliveries.claim(runtime, 1)) == 1


def test_lost_lease_records_nothing(hooks: Hooks, receiver: Receiver, runtime: Runtime, clock: ManualClock) -> None:
    endpoint_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
    hooks.test(endpoint_id)
    fan_out.fan_out(runtime)
    slow = deliveries.claim(runtime, 1)[0]
    assert deliveries.claim(runtime, 1) == []
    assert deliver(runtime) == 0
    clock.advance(minutes=2)
    assert deliver(runtime) == 1
    deliveries.finish(runtime, slow, [Answer(clock.now(), 1, None, "no answer")], 0.5)
    assert hooks.show(endpoint_id)["failures"] == 0
    assert len(hooks.attempts(endpoint_id)) == 1
