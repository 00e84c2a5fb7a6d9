"""Webhook endpoints, what they are owed and what became of it, as values. Protocol §9."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    ASKED = "asked"
    """Its owner switched it off."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It took nothing for days."""


class DeliveryStatus(StrEnum):
    OWED = "owed"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    """Given up: too old, or its endpoint was deleted."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an enterprise hears of events. ``event_types`` of None: all that are not opt-in."""

    id: UUID
    enterprise_id: str
    url: str
    event_types: list[str] | None
    description: str | None
    status: str
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Secret:
    """A stored secret: both keys sealed, and the public one of the second."""

    id: UUID
    endpoint_id: UUID
    encrypted_keys: bytes
    public_key: bytes
    created_at: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event owed to an endpoint; ``position`` orders what one endpoint hears."""

    endpoint_id: UUID
    position: int
    event_id: UUID
    event_type: str
    status: str
    replayed: bool
    attempts: int
    owed_since: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver. ``problem`` says why it failed; ``status_code`` is what was answered, if anything was."""

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
class OwedMessage:
    """A delivery with what is to be sent; ``payload`` is the text of a JSON object."""

    endpoint_id: UUID
    position: int
    attempts: int
    event_id: UUID
    type: str
    payload: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """An endpoint that one worker has for a while; ``lease_id`` fences off whoever had it before."""

    endpoint: Endpoint
    lease_id: UUID
    secrets: list[Secret]
    messages: list[OwedMessage]

    @property
    def payload_characters(self) -> int:
        return sum(len(message.payload) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of posting one message. Without a status code there was no whole answer."""

    started_at: datetime
    duration_milliseconds: int
    status_code: int | None
    problem: str | None
    retry_after_seconds: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.problem is None
