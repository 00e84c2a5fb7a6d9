"""Members read their own events, as their webhook endpoints get them."""

from __future__ import annotations

from typing import Final

from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.events import outbox
from clearwindow.events.schemas import MemberEventFilters, MemberEventsAnswer, member_events_answer
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router

router: Final = member_router("webhooks", NETWORK_V1)


@router.get("/events", operation_id="v1EventsGetRoute", summary="List the events of your enterprise")
def list_events(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[MemberEventFilters]
) -> Answer[MemberEventsAnswer]:
    """Newest first, with what webhook endpoints get as ``data``. No endpoint is needed to read them."""
    found = outbox.list_events(runtime, filters.to_model_of(member.enterprise_id), filters.slice)
    return paged(member_events_answer(found.items), found, filters)
