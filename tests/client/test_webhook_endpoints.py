"""Webhook endpoints through the SDK, in both shapes, up to the verified delivery."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from clearwindow.client import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Partner,
    WebhookVerificationError,
    verify_webhook,
)
from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from tests.client.networks import OPTIONS, enterprise
from tests.client.shapes import Shapes
from tests.conftest import OPERATOR_TOKEN, START
from tests.support.receivers import Receiver, answering, receiving
from tests.webhooks.support import deliver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def member(shapes: Shapes, base_url: str) -> Partner:
    """An enterprise that is neither partner nor client: every enterprise may have endpoints."""
    token, _ = enterprise(shapes.operator(base_url, OPERATOR_TOKEN, options=OPTIONS), "meridian", 1)
    return shapes.partner(base_url, token, "meridian", options=OPTIONS)


def test_endpoint_gets_test_event_and_lists_deliveries(
    member: Partner, receiver: Receiver, runtime: Runtime, clock: ManualClock
) -> None:
    endpoints = member.webhook_endpoints
    made = endpoints.create(url=receiver.url, event_types=("settlement.initiated",), description="the desk")
    endpoint = made.webhook_endpoint
    assert made.secret not in repr(made)
    assert (endpoint.enabled, endpoint.event_types, endpoint.description) == (
        True,
        ("settlement.initiated",),
        "the desk",
    )
    assert list(endpoints.list(page_size=1)) == [endpoint] == [endpoints.get(endpoint.id)]
    renewed = endpoints.rotate_secret(endpoint.id)
    assert renewed.webhook_endpoint.public_keys[0] not in endpoint.public_keys
    told = endpoints.send_test(endpoint.id)
    receiver.behaviour = answering(500)
    deliver(runtime)
    receiver.behaviour = answering(204)
    clock.advance(minutes=1)
    deliver(runtime)
    message = receiver.received[-1]
    for key in (made.secret, renewed.secret, *endpoints.get(endpoint.id).public_keys):
        event = verify_webhook(message.headers, message.body, key)
        assert (event.id, event.type) == (told, "webhook_endpoint.test")
    with pytest.raises(WebhookVerificationError):
        verify_webhook(message.headers, message.body + b" ", renewed.secret)
    tries = list(endpoints.attempts(endpoint.id, event_ids=[told]))
    assert [(each.number, each.status_code, each.succeeded) for each in tries] == [(2, 204, True), (1, 500, False)]
    assert list(endpoints.attempts(endpoint.id, succeeded=False)) == [tries[1]]
    assert [each.status for each in endpoints.deliveries(endpoint.id)] == ["delivered"]
    endpoints.replay(endpoint.id, told)
    assert [each.is_replay for each in endpoints.deliveries(endpoint.id, statuses=["owed"])] == [True]
    assert endpoints.replay_range(endpoint.id, from_at=START, until_at=clock.now(), only_missed=True) == 0


def test_endpoint_is_changed_and_deleted(member: Partner, receiver: Receiver) -> None:
    endpoints = member.webhook_endpoints
    made = endpoints.create(url=receiver.url, description="the desk").webhook_endpoint
    assert made.event_types is None
    named = endpoints.update(made.id, event_types=("dispute.created", "dispute.closed"), enabled=False)
    assert (named.enabled, named.disabled_reason) == (False, "asked")
    assert (named.event_types, named.description) == (("dispute.closed", "dispute.created"), "the desk")
    for refused in (lambda: endpoints.send_test(made.id), lambda: endpoints.replay(made.id, uuid4())):
        with pytest.raises(ConflictError):
            refused()
    again = endpoints.update(made.id, event_types=None, description=None, enabled=True)
    assert (again.event_types, again.description, again.enabled) == (None, None, True)
    with pytest.raises(NotFoundError, match="event"):
        endpoints.replay(made.id, uuid4())
    with pytest.raises(InvalidRequestError):
        endpoints.create(url="ftp://meridian.example/")
    endpoints.delete(made.id)
    assert list(endpoints.list()) == []
    for gone in (
        lambda: endpoints.replay(made.id, uuid4()),
        lambda: endpoints.replay_range(made.id, from_at=datetime(2026, 1, 1, tzinfo=UTC)),
        lambda: endpoints.get(made.id),
        lambda: endpoints.delete(made.id),
    ):
        with pytest.raises(NotFoundError):
            gone()
