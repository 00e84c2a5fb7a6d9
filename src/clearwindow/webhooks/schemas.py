"""Webhook endpoints on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from clearwindow.api.filters import CreatedPage, Flag, Many, Uuids
from clearwindow.api.schema import RequestModel, ShortText, WireModel, WireMoment
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireUuid
from clearwindow.core.text import present
from clearwindow.events.models import SUBSCRIBABLE, EventType
from clearwindow.signing.schemas import SignableChange
from clearwindow.webhooks.models import (
    Attempt,
    AttemptFilter,
    Delivery,
    DeliveryFilter,
    DeliveryStatus,
    Endpoint,
    EndpointStatus,
    EndpointWithKeys,
    EndpointWithSecret,
    NewEndpoint,
    TimeRange,
)
from clearwindow.webhooks.signatures import public_key_text

MAX_URL_LENGTH = 2_000

Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL_LENGTH)]
StatusText = Annotated[DeliveryStatus, Field(strict=False)]


def _known_types(types: list[str]) -> list[str]:
    for name in types:
        if name not in SUBSCRIBABLE:
            raise ValueError(f"there is no event type {name[:80]!r}: see the event catalogue")
    if len(set(types)) != len(types):
        raise ValueError("names an event type twice")
    return sorted(types)


EventTypes = Annotated[
    list[ShortText], Field(min_length=1, max_length=len(EventType)), AfterValidator(_known_types)
]


class NewEndpointRequest(SignableChange):
    """Without ``eventTypes``, the endpoint receives all event types that are not opt-in."""

    url: Url
    event_types: EventTypes | None = None
    description: ShortText | None = None

    def to_model(self) -> NewEndpoint:
        return NewEndpoint(self.url, self.event_types, self.description)


class EndpointChangeRequest(SignableChange):
    """Fields that are absent stay as they are. Null removes ``eventTypes`` or ``description``."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: ShortText | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _require_a_change(self) -> Self:
        if not self.changed_names:
            raise ValueError("must name at least one of url, eventTypes, description, enabled")
        for name in ("url", "enabled"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} must not be null")
        return self

    def changes(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.changed_names}


class EndpointActRequest(SignableChange):
    """Nothing but the signature, if there is one."""


class ReplayRequest(RequestModel):
    """One event by its id, or all events from ``from`` on and before ``until`` (default: now).

    ``onlyMissed`` leaves out events that were delivered.
    """

    event_id: WireUuid | None = None
    from_: Annotated[WireMoment | None, Field(alias="from")] = None
    until: WireMoment | None = None
    only_missed: bool = False

    @model_validator(mode="after")
    def _require_one_of_both(self) -> Self:
        self.to_model()
        return self

    def to_model(self) -> UUID | TimeRange:
        if self.event_id is not None and self.model_fields_set == {"event_id"}:
            return self.event_id
        if self.event_id is None and self.from_ is not None:
            return TimeRange(self.from_, self.until, self.only_missed)
        raise ValueError("must have either eventId alone, or from, optionally with until and onlyMissed")


class DeliveryFilters(CreatedPage):
    """The range of time is that in which a delivery began to be owed."""

    statuses: Many[StatusText] = None
    event_ids: Uuids = None

    def to_model(self) -> DeliveryFilter:
        return DeliveryFilter(self.statuses, self.event_ids, self.created_on_or_after, self.created_before)


class AttemptFilters(CreatedPage):
    """The range of time is that in which an attempt began."""

    succeeded: Flag = None
    event_ids: Uuids = None

    def to_model(self) -> AttemptFilter:
        return AttemptFilter(self.succeeded, self.event_ids, self.created_on_or_after, self.created_before)


class EndpointOutput(WireModel):
    id: str
    url: str
    event_types: list[str] | None
    description: str | None = None
    enabled: bool
    disabled_reason: Literal["asked", "gone", "failing"] | None = None
    failures: int
    failing_since: str | None = None
    retry_at: str | None = None
    public_keys: list[str]
    created_at: str
    updated_at: str


class EndpointAnswer(WireModel):
    webhook_endpoint: EndpointOutput


class NewSecretAnswer(WireModel):
    """This is the only answer that has the ``secret``."""

    webhook_endpoint: EndpointOutput
    secret: str


class EndpointList(WireModel):
    webhook_endpoints: list[EndpointOutput]


class TestAnswer(WireModel):
    __test__ = False

    event_id: str


class ReplayAnswer(WireModel):
    replayed: int


class DeliveryOutput(WireModel):
    event_id: str
    event_type: str
    position: int
    status: DeliveryStatus
    replayed: bool
    attempts: int
    owed_since: str
    ended_at: str | None = None


class DeliveryList(WireModel):
    deliveries: list[DeliveryOutput]


class AttemptOutput(WireModel):
    event_id: str
    event_type: str
    position: int
    number: int
    started_at: str
    duration_milliseconds: int
    succeeded: bool
    status_code: int | None = None
    problem: str | None = None


class AttemptList(WireModel):
    attempts: list[AttemptOutput]


def endpoint_answer(shown: EndpointWithKeys) -> EndpointAnswer:
    return EndpointAnswer(webhook_endpoint=_output(shown.endpoint, shown.public_keys))


def endpoint_list(shown: list[EndpointWithKeys]) -> EndpointList:
    return EndpointList(webhook_endpoints=[_output(each.endpoint, each.public_keys) for each in shown])


def secret_answer(made: EndpointWithSecret) -> NewSecretAnswer:
    output = _output(made.endpoint, [made.public_key])
    return NewSecretAnswer(webhook_endpoint=output, secret=made.keys.secret_text())


def delivery_list(found: list[Delivery]) -> DeliveryList:
    return DeliveryList(
        deliveries=[
            DeliveryOutput.model_validate(
                present(
                    event_id=str(each.event_id),
                    event_type=each.event_type,
                    position=each.position,
                    status=each.status,
                    replayed=each.replayed,
                    attempts=each.attempts,
                    owed_since=wire_time(each.owed_since),
                    ended_at=wire_time(each.ended_at) if each.ended_at else None,
                )
            )
            for each in found
        ]
    )


def attempt_list(found: list[Attempt]) -> AttemptList:
    return AttemptList(
        attempts=[
            AttemptOutput.model_validate(
                present(
                    event_id=str(each.event_id),
                    event_type=each.event_type,
                    position=each.position,
                    number=each.number,
                    started_at=wire_time(each.started_at),
                    duration_milliseconds=each.duration_milliseconds,
                    succeeded=each.succeeded,
                    status_code=each.status_code,
                    problem=each.problem,
                )
            )
            for each in found
        ]
    )


def _output(endpoint: Endpoint, public_keys: list[bytes]) -> EndpointOutput:
    optional = present(
        description=endpoint.description,
        disabled_reason=endpoint.disabled_reason,
        failing_since=wire_time(endpoint.failing_since) if endpoint.failing_since else None,
        retry_at=wire_time(endpoint.retry_at) if endpoint.retry_at else None,
    )
    fields: dict[str, object] = {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "enabled": endpoint.status is EndpointStatus.ENABLED,
        "failures": endpoint.failures,
        "public_keys": [public_key_text(key) for key in public_keys],
        "created_at": wire_time(endpoint.created_at),
        "updated_at": wire_time(endpoint.updated_at),
    }
    return EndpointOutput.model_validate(fields | optional)
