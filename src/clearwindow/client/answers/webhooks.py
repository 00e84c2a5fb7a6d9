"""Webhook endpoints of an enterprise, the deliveries to them, and every attempt."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import OpenText, Value

DisabledReason = Annotated[Literal["asked", "gone", "failing"], OpenText]
DeliveryStatus = Annotated[Literal["owed", "delivered", "dropped"], OpenText]


class WebhookEndpoint(Value):
    """An endpoint that receives events. If ``event_types`` is None, it gets all types that are not opt-in.

    `verify_webhook` takes the ``public_keys`` for ``v1a``. There are several while a rotated secret is still valid.
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
    """An endpoint with its new secret. ``secret`` is shown only once."""

    webhook_endpoint: WebhookEndpoint
    secret: str

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """All fields but the secret."""
        return [(name, value) for name, value in super().__repr_args__() if name != "secret"]


class WebhookDelivery(Value):
    """A delivery of an event to an endpoint, made or outstanding.

    ``position`` is its place in the endpoint's order. ``is_replay`` says that somebody requested the event again.
    It is ``replayed`` on the wire, a name that means something else in all answers.
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
    """One attempt to deliver: the answer, or the reason why there was none."""

    event_id: str
    event_type: str
    position: int
    number: int
    started_at: AwareDatetime
    duration_milliseconds: int
    succeeded: bool
    status_code: int | None = None
    problem: str | None = None


class MemberEvent(Value):
    """An event of the enterprise. ``data`` is what its webhook endpoints get."""

    id: str
    type: str
    subject_id: str
    created_at: AwareDatetime
    data: dict[str, Any]
