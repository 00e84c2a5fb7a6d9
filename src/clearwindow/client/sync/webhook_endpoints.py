# Made from ../aio by `make sdk`: change it there.
"""Webhook endpoints, which receive the events of an enterprise. `verify_webhook` checks what they receive."""

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
from clearwindow.signing.models import Operation

_ALL: Final = "/webhook-endpoints"
_ONE: Final = "/webhook-endpoints/{}"


class WebhookEndpoints:
    """The enterprise's endpoints, as client and as partner.

    Changes are signed if ``sign`` says so, or if the enterprise's account requires it and the client has a signer.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PageFilters]) -> Pages[WebhookEndpoint]:
        """Lists the endpoints, oldest first."""
        return self._desk.pages(self._desk.path(_ALL), "webhookEndpoints", WebhookEndpoint, filters)

    def get(self, endpoint_id: Id) -> WebhookEndpoint:
        path = self._desk.path(_ONE, endpoint_id)
        return self._desk.get(path, value_of(WebhookEndpoint, "webhookEndpoint"))

    def create(
        self,
        *,
        url: str,
        event_types: Sequence[str] | None = None,
        description: str | None = None,
        sign: bool = False,
    ) -> WebhookEndpointWithSecret:
        """Makes an endpoint. Each request makes another one: it is not repeated after a lost answer.

        Args:
            url: new events are posted to this address.
            event_types: the types of events to send; all that are not opt-in if omitted.
            description: any text.
            sign: whether to sign the request at once.

        Raises:
            InvalidRequestError: the address must not be called.
            UnprocessableError: the enterprise has the maximum number of endpoints.
        """
        types = None if event_types is None else [*event_types]
        asked = fields(url=url, event_types=types, description=description)
        read = value_of(WebhookEndpointWithSecret)
        create, once = Operation.WEBHOOK_ENDPOINT_CREATE, (False, False)
        return self._desk.change("POST", self._desk.path(_ALL), read, asked, create, sign=sign, repeatable=once)

    def update(
        self, endpoint_id: Id, *, sign: bool = False, **changed: Unpack[WebhookEndpointChanges]
    ) -> WebhookEndpoint:
        """Changes the given fields. An endpoint that is enabled again gets only later events."""
        named = dict(changed)
        if changed.get("event_types") is not None:
            named["event_types"] = [*(changed["event_types"] or ())]
        return self._desk.change(
            "PATCH",
            self._desk.path(_ONE, endpoint_id),
            value_of(WebhookEndpoint, "webhookEndpoint"),
            changes(named),
            Operation.WEBHOOK_ENDPOINT_UPDATE,
            sign=sign,
            repeatable=(True, True),
            endpointId=endpoint_id,
        )

    def delete(self, endpoint_id: Id, *, sign: bool = False) -> None:
        """Deletes an endpoint and drops its outstanding deliveries.

        Not repeated after a lost answer unless it is signed: if the first request deleted it, the second does not
        find it.
        """
        self._desk.change(
            "DELETE",
            self._desk.path(_ONE, endpoint_id),
            nothing,
            None,
            Operation.WEBHOOK_ENDPOINT_DELETE,
            sign=sign,
            repeatable=(False, True),
            endpointId=endpoint_id,
        )

    def rotate_secret(self, endpoint_id: Id, *, sign: bool = False) -> WebhookEndpointWithSecret:
        """Makes a new secret. For one more day, the previous secret signs too.

        Not repeated after a lost answer: the second request would retire the secret of the first.
        """
        return self._desk.change(
            "POST",
            self._desk.path(_ONE + "/rotate-secret", endpoint_id),
            value_of(WebhookEndpointWithSecret),
            None,
            Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET,
            sign=sign,
            repeatable=(False, False),
            endpointId=endpoint_id,
        )

    def send_test(self, endpoint_id: Id) -> str:
        """Sends a test event to the endpoint and returns its id. Not repeated after a lost answer.

        Raises:
            ConflictError: the endpoint is disabled.
        """
        return self._desk.send("POST", self._desk.path(_ONE + "/test", endpoint_id), text_of("eventId"))

    def replay(self, endpoint_id: Id, event_id: Id) -> None:
        """Sends one event again under its own id, after all outstanding deliveries.

        Not repeated after a lost answer: each request sends it once more.

        Raises:
            NotFoundError: the enterprise has no such event, or no such endpoint.
            ConflictError: the endpoint is disabled.
        """
        path = self._desk.path(_ONE + "/replay", endpoint_id)
        self._desk.send("POST", path, nothing, fields(event_id=event_id))

    def replay_range(
        self, endpoint_id: Id, *, from_at: datetime, until_at: datetime | None = None, only_missed: bool = False
    ) -> int:
        """Sends the events of a period again and returns their number.

        Not repeated after a lost answer: events that were delivered in the meantime would be sent once more.

        Args:
            endpoint_id: of the endpoint.
            from_at: the beginning of the period, included.
            until_at: the end of the period, excluded; now if omitted.
            only_missed: whether to leave out the events that were delivered.

        Raises:
            ConflictError: the endpoint is disabled.
            UnprocessableError: the period has too many events.
        """
        asked: dict[str, object] = {
            "from": time_text(from_at),
            **fields(until=until_at, only_missed=only_missed or None),
        }
        path = self._desk.path(_ONE + "/replay", endpoint_id)
        return self._desk.send("POST", path, number_of("replayed"), asked)

    def deliveries(self, endpoint_id: Id, **filters: Unpack[DeliveryFilters]) -> Pages[WebhookDelivery]:
        """Lists the deliveries to an endpoint, made and outstanding, latest first."""
        path = self._desk.path(_ONE + "/deliveries", endpoint_id)
        return self._desk.pages(path, "deliveries", WebhookDelivery, filters)

    def attempts(self, endpoint_id: Id, **filters: Unpack[AttemptFilters]) -> Pages[WebhookAttempt]:
        """Lists the attempts to deliver to an endpoint, latest first."""
        path = self._desk.path(_ONE + "/attempts", endpoint_id)
        return self._desk.pages(path, "attempts", WebhookAttempt, filters)
