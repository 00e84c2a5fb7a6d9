"""Webhook endpoints of an enterprise, what they are owed, and every try to deliver it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import OpenText, Value

DisabledReason = Annotated[Literal["asked", "gone", "failing"], OpenText]
DeliveryStatus = Annotated[Literal["owed", "delivered", "dropped"], OpenText]


class WebhookEndpoint(Value):
    """Where an enterprise hears of events; ``event_types`` of None are all that are not opt-in.

    ``public_keys`` are what `verify_webhook` takes for ``v1a``: several while a rotated secret is still valid.
    """

    id: str
    url: str
    event_types: tuple[str, ...] | None
    description: str | None = None
    enabled: bool
    disabled_reason: DisabledReason | None = None
    failures: int
    failing_since: AwareDatetime | None = None
    retry_at: AwareDatetime | None = None
    public_keys: tuple[str, ...]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class WebhookEndpointWithSecret(Value):
    """An endpoint and the secret that was just made for it; ``secret`` is shown this once."""

    webhook_endpoint: WebhookEndpoint
    secret: str

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Everything but the secret."""
        return [(name, value) for name, value in super().__repr_args__() if name != "secret"]


class WebhookDelivery(Value):
    """An event that an endpoint was or is owed.

    ``position`` is where it stands in the endpoint's order; ``is_replay`` says that somebody asked for it again: it
    is ``replayed`` on the wire, a name that has another meaning in every answer.
    """

    event_id: str
    event_type: str
    position: int
    status: DeliveryStatus
    is_replay: bool = Field(alias="replayed")
    attempts: int
    owed_since: AwareDatetime
    ended_at: AwareDatetime | None = None


class WebhookAttempt(Value):
    """One try to deliver: what was answered, or why there was no answer."""

    event_id: str
    event_type: str
    position: int
    number: int
    started_at: AwareDatetime
    duration_milliseconds: int
    succeeded: bool
    status_code: int | None = None
    problem: str | None = None
