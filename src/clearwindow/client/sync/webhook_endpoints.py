# Made from ../aio by `make sdk`: change it there.
"""Webhook endpoints: where an enterprise hears of what happens. What comes in, `verify_webhook` checks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Unpack

from clearwindow.client.answers.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointWithSecret,
)
from clearwindow.client.calls import nothing, number_of, text_of, value_of
from clearwindow.client.filters import AttemptFilters, DeliveryFilters, PageFilters
from clearwindow.client.requests import WebhookEndpointChanges
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, changes, fields, time_text

_ALL: Final = "/webhook-endpoints"
_ONE: Final = "/webhook-endpoints/{}"


class WebhookEndpoints:
    """The enterprise's endpoints, as client and as partner."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PageFilters]) -> Pages[WebhookEndpoint]:
        """All of them, the oldest first."""
        return self._desk.pages(self._desk.path(_ALL), "webhookEndpoints", WebhookEndpoint, filters)

    def get(self, endpoint_id: Id) -> WebhookEndpoint:
        path = self._desk.path(_ONE, endpoint_id)
        return self._desk.get(path, value_of(WebhookEndpoint, "webhookEndpoint"))

    def create(
        self, *, url: str, event_types: Sequence[str] | None = None, description: str | None = None
    ) -> WebhookEndpointWithSecret:
        """Makes an endpoint. Each request makes another, so it is not repeated after a lost answer.

        Args:
            url: where events are posted, from now on.
            event_types: of which it hears; all that are not opt-in, where they are not given.
            description: any words.

        Raises:
            InvalidRequestError: the address is none that may be called.
            UnprocessableError: the enterprise has as many endpoints as it may have.
        """
        types = None if event_types is None else [*event_types]
        asked = fields(url=url, event_types=types, description=description)
        read = value_of(WebhookEndpointWithSecret)
        return self._desk.send("POST", self._desk.path(_ALL), read, asked)

    def update(self, endpoint_id: Id, **changed: Unpack[WebhookEndpointChanges]) -> WebhookEndpoint:
        """Changes what is named. One that is enabled again hears of what happens from then on."""
        named = dict(changed)
        if changed.get("event_types") is not None:
            named["event_types"] = [*(changed["event_types"] or ())]
        read = value_of(WebhookEndpoint, "webhookEndpoint")
        path = self._desk.path(_ONE, endpoint_id)
        return self._desk.send("PATCH", path, read, changes(named), repeatable=True)

    def delete(self, endpoint_id: Id) -> None:
        """Deletes it; what it is still owed is dropped.

        Not repeated after a lost answer: the first request may have deleted it, and the second not find it.
        """
        self._desk.send("DELETE", self._desk.path(_ONE, endpoint_id), nothing)

    def rotate_secret(self, endpoint_id: Id) -> WebhookEndpointWithSecret:
        """Makes a new secret; the one before it signs, too, for another day.

        Not repeated after a lost answer: the secret of a first request would be retired by the second.
        """
        path = self._desk.path(_ONE + "/rotate-secret", endpoint_id)
        return self._desk.send("POST", path, value_of(WebhookEndpointWithSecret))

    def send_test(self, endpoint_id: Id) -> str:
        """Owes the endpoint a test event, and gives its id. Not repeated after a lost answer.

        Raises:
            ConflictError: the endpoint is disabled.
        """
        return self._desk.send("POST", self._desk.path(_ONE + "/test", endpoint_id), text_of("eventId"))

    def replay(self, endpoint_id: Id, event_id: Id) -> None:
        """Has one event sent again under its own id, after what is owed already.

        Not repeated after a lost answer: each request owes it once more.

        Raises:
            NotFoundError: the enterprise has no such event, or no such endpoint.
            ConflictError: the endpoint is disabled.
        """
        path = self._desk.path(_ONE + "/replay", endpoint_id)
        self._desk.send("POST", path, nothing, fields(event_id=event_id))

    def replay_range(
        self, endpoint_id: Id, *, from_at: datetime, until_at: datetime | None = None, only_missed: bool = False
    ) -> int:
        """Has the events of a time sent again, and gives how many.

        Not repeated after a lost answer: what was delivered in the meantime would be owed once more.

        Args:
            endpoint_id: to which endpoint.
            from_at: from when on.
            until_at: before when; now, where it is not given.
            only_missed: leave out what was delivered.

        Raises:
            ConflictError: the endpoint is disabled.
            UnprocessableError: there are too many in this time.
        """
        asked: dict[str, object] = {
            "from": time_text(from_at),
            **fields(until=until_at, only_missed=only_missed or None),
        }
        path = self._desk.path(_ONE + "/replay", endpoint_id)
        return self._desk.send("POST", path, number_of("replayed"), asked)

    def deliveries(self, endpoint_id: Id, **filters: Unpack[DeliveryFilters]) -> Pages[WebhookDelivery]:
        """What it was and is owed, the latest first."""
        path = self._desk.path(_ONE + "/deliveries", endpoint_id)
        return self._desk.pages(path, "deliveries", WebhookDelivery, filters)

    def attempts(self, endpoint_id: Id, **filters: Unpack[AttemptFilters]) -> Pages[WebhookAttempt]:
        """Every try to deliver to it, the latest first."""
        path = self._desk.path(_ONE + "/attempts", endpoint_id)
        return self._desk.pages(path, "attempts", WebhookAttempt, filters)
