"""Webhook endpoints, their messages and the attempts to deliver them, as values. Protocol §9."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum, auto
from uuid import UUID

from clearwindow.webhooks.signatures import SigningKeys


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class EndpointChange(StrEnum):
    """What a user did with an endpoint, as the other users are told."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    SECRET_ROTATED = "secret_rotated"  # noqa: S105 - a word, not a secret


class DisabledReason(StrEnum):
    ASKED = "asked"
    """Its owner disabled it."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """No delivery succeeded for days."""


class DeliveryStatus(StrEnum):
    OWED = "owed"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    """Not delivered: it became too old, or its endpoint was deleted."""


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """What became of the messages about one event: how many have this status."""

    event_id: UUID
    status: DeliveryStatus
    messages: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an enterprise receives events. ``event_types`` is None for all types that are not opt-in."""

    id: UUID
    enterprise_id: str
    url: str
    event_types: list[str] | None
    description: str | None
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """Selects endpoints of an operator's list. None means no restriction."""

    ids: list[UUID] | None
    enterprise_ids: list[str] | None
    enabled: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """A stored secret: both keys encrypted, and the public key of the second."""

    id: UUID
    endpoint_id: UUID
    encrypted_keys: bytes
    public_key: bytes
    created_at: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint. ``position`` is its place in the order of the endpoint's messages."""

    endpoint_id: UUID
    position: int
    event_id: UUID
    event_type: str
    status: DeliveryStatus
    replayed: bool
    attempts: int
    owed_since: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver. ``problem`` is why it failed. ``status_code`` is None if there was no answer."""

    position: int
    number: int
    event_id: UUID
    event_type: str
    started_at: datetime
    duration_milliseconds: int
    succeeded: bool
    status_code: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """A stored event, and whether an enterprise sees it as a client of its settlement, under an id of its own."""

    id: UUID
    as_client: bool


@dataclass(frozen=True, slots=True)
class OwedMessage:
    """A delivery with the event to send, as the enterprise sees it. ``payload`` is the text of a JSON object."""

    endpoint_id: UUID
    position: int
    attempts: int
    event_id: UUID
    type: str
    payload: str
    created_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An endpoint that is leased to one worker. ``lease_id`` distinguishes this lease from earlier ones."""

    endpoint: Endpoint
    lease_id: UUID
    secrets: list[Secret]
    messages: list[OwedMessage]

    @property
    def payload_characters(self) -> int:
        return sum(len(message.payload) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of posting one message. ``status_code`` is None if there was no complete answer."""

    started_at: datetime
    duration_milliseconds: int
    status_code: int | None
    problem: str | None
    retry_after_seconds: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.problem is None


class Outcome(Enum):
    """What happens to an endpoint after a batch of messages."""

    CONTINUES = auto()
    RETRIES = auto()
    RECOVERED = auto()
    DISABLED_AS_GONE = auto()
    DISABLED_AS_FAILING = auto()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The state of an endpoint after a batch of messages.

    ``retry_at`` is None if the next may be posted at once.
    """

    outcome: Outcome
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be created. ``event_types`` is None for all types that are not opt-in."""

    url: str
    event_types: list[str] | None
    description: str | None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The events from ``from_at`` on and before ``until_at`` (now, if it is None).

    ``only_missed``: only events that were not delivered.
    """

    from_at: datetime
    until_at: datetime | None
    only_missed: bool


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """An endpoint and its new secret, which is shown only once."""

    endpoint: Endpoint
    public_key: bytes
    keys: SigningKeys = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndpointWithKeys:
    """An endpoint and the public keys that verify its messages, the newest first."""

    endpoint: Endpoint
    public_keys: list[bytes]


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint a list has. A filter that is None selects all."""

    statuses: list[DeliveryStatus] | None = None
    event_ids: list[UUID] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """Which attempts of an endpoint a list has. A filter that is None selects all."""

    succeeded: bool | None = None
    event_ids: list[UUID] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
