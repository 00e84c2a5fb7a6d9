"""Operators read the outbox."""

from __future__ import annotations

from typing import Final

from clearwindow.api.routing import Answer, Filters, ServerRuntime, counted
from clearwindow.events import outbox
from clearwindow.events.schemas import EventFilters, EventsAnswer, events_answer
from clearwindow.identity.guards import operator_router

router: Final = operator_router("history")


@router.get("/events", summary="List the events of all enterprises, newest first")
def events(runtime: ServerRuntime, filters: Filters[EventFilters]) -> Answer[EventsAnswer]:
    found = outbox.list_events(runtime, filters.to_model())
    return counted(events_answer(found.items), found.total)
