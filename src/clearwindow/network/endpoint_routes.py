"""Routes of a partner about its own endpoint: how it stands, and the calls to it. They are ours."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.network import views
from clearwindow.partner_calls import schemas

router: Final = member_router("calls to partners", NETWORK_V1)


@router.get(
    "/partners/endpoint",
    operation_id="v1PartnerEndpointGetRoute",
    summary="See how the partner's own endpoint stands",
    responses=may_raise("not_a_partner"),
)
def partner_endpoint(runtime: ServerRuntime, member: CallingMember) -> schemas.OwnEndpointAnswer:
    """While the circuit is `open`, nothing is sent before `openUntil`. Then one trial call is made.

    `failures` counts those in a row, `owed` the calls that wait for an answer.
    """
    standing, called, now = views.own_endpoint(runtime, member)
    return schemas.own_endpoint(standing, now, called=called)


@router.get(
    "/partners/calls",
    operation_id="v1PartnerCallsGetRoute",
    summary="List the calls to the partner's own endpoint",
    responses=may_raise("not_a_partner", unused=(404,)),
)
def partner_calls(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.OwnCallFilters]
) -> Answer[schemas.CallList]:
    """The newest is first. `owed=true` lists those without an answer yet, with the last error. It has no bodies."""
    found = views.own_calls(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.call_list(found.items), found, filters)
