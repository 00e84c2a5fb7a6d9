"""Events of all enterprises on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from clearwindow.api.filters import CreatedPage, Texts
from clearwindow.api.schema import ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireAnyId
from clearwindow.events.models import EventFilter, EventType, RecordedEvent


def _event_types(names: list[str] | None) -> list[EventType] | None:
    known = {str(event_type): event_type for event_type in EventType}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ValueError(f"must be among {', '.join(known)}")
    return None if names is None else [known[name] for name in names]


class EventFilters(CreatedPage):
    enterprise_id: ShortText | None = None
    subject_id: WireAnyId | None = None
    types: Annotated[Texts, AfterValidator(_event_types)] = None

    def to_model(self) -> EventFilter:
        types = None if self.types is None else [EventType(name) for name in self.types]
        return EventFilter(
            self.enterprise_id, self.subject_id, types, self.created_on_or_after, self.created_before
        )


class MemberEventFilters(CreatedPage):
    """Filters of an enterprise's own events."""

    subject_id: WireAnyId | None = None
    types: Annotated[Texts, AfterValidator(_event_types)] = None

    def to_model_of(self, enterprise_id: str) -> EventFilter:
        types = None if self.types is None else [EventType(name) for name in self.types]
        return EventFilter(enterprise_id, self.subject_id, types, self.created_on_or_after, self.created_before)


class EventView(WireModel):
    id: str
    sequence: int
    enterprise_id: str
    type: str
    subject_id: str
    payload: dict[str, object]
    created_at: str


class EventsAnswer(WireModel):
    events: list[EventView]


class MemberEventView(WireModel):
    """An event as its enterprise sees it. ``data`` is what webhook endpoints get."""

    id: str
    type: str
    subject_id: str
    created_at: str
    data: dict[str, object]


class MemberEventsAnswer(WireModel):
    events: list[MemberEventView]


def member_events_answer(events: Sequence[RecordedEvent]) -> MemberEventsAnswer:
    return MemberEventsAnswer(
        events=[
            MemberEventView(
                id=str(event.id),
                type=event.type,
                subject_id=str(event.subject_id),
                created_at=wire_time(event.created_at),
                data=event.payload,
            )
            for event in events
        ]
    )


def events_answer(events: Sequence[RecordedEvent]) -> EventsAnswer:
    return EventsAnswer(events=[_event_view(event) for event in events])


def _event_view(event: RecordedEvent) -> EventView:
    return EventView(
        id=str(event.id),
        sequence=event.sequence,
        enterprise_id=event.enterprise_id,
        type=event.type,
        subject_id=str(event.subject_id),
        payload=event.payload,
        created_at=wire_time(event.created_at),
    )
