"""Routes of the calendar. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.liquidity.calendar import schemas, views

router: Final = member_router("liquidity", NETWORK_V1)


@router.get(
    "/partners/calendar",
    operation_id="v1PartnerCalendarGetRoute",
    summary="List when the windows of the partner's open settlements end, and what each takes",
    responses=may_raise("not_a_partner"),
)
def calendar_of_partner(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.CalendarFilters]
) -> Answer[schemas.PartnerCalendarAnswer]:
    """The earliest first, with what the settlement does to the partner's account if disputes stay as they are."""
    found = views.of_partner(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.partner_answer(found), found.page, filters)


@router.get(
    "/clients/calendar",
    operation_id="v1ClientCalendarGetRoute",
    summary="List when the windows of open settlements with the client end, and what each takes",
    responses=may_raise("not_a_client"),
)
def calendar_of_client(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.CalendarFilters]
) -> Answer[schemas.ClientCalendarAnswer]:
    """The earliest first, with what the settlement moves and holds on the client's own connections."""
    found = views.of_client(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.client_answer(found), found.page, filters)
