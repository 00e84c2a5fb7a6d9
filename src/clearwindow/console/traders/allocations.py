"""Allocations and deallocations, and what waits for a second person of the enterprise."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.allocations.routes import client_allocation, decide_approval, list_client_allocations
from clearwindow.approvals.routes import list_approvals, read_approval
from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.traders.acts import TRADER
from clearwindow.core.work import Work

pages: Final = Pages(for_operators=False)

_STATUSES: Final = ("reserved", "cleared", "released")
_APPROVAL_STATUSES: Final = ("pending", "approved", "rejected")
_NEWEST: Final = {"sortDirection": "DESC"}


@pages.shows("/trader/allocations")
def allocations(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "types", "connectionIds")
    found = visit.desk.listed(list_client_allocations, {**wanted, **_NEWEST}, "v1ClientAllocationsGetRoute")
    connections = names.connections(visit.desk, (each.connection_id for each in found.body.allocations))
    return visit.show("traders/allocations.html", found=found, connections=connections, statuses=_STATUSES)


@pages.shows("/trader/allocations/{allocation_id}")
def allocation(visit: Visit) -> Response:
    desk = visit.desk
    found = desk.read(
        client_allocation, "v1ClientAllocationGetRoute", allocation_id=visit.path_ids["allocation_id"]
    ).allocation
    connection = names.connections(desk, [found.connection_id]).get(found.connection_id)
    return visit.show("traders/allocation.html", allocation=found, connection=connection)


@pages.shows("/trader/approvals")
def approvals(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "types")
    if not visit.request.query_params:
        wanted |= {"statuses": "pending"}
    found = visit.desk.listed(list_approvals, wanted, "v1ClientPendingApprovalsGetRoute")
    return visit.show("traders/approvals.html", found=found, wanted=wanted, statuses=_APPROVAL_STATUSES)


@pages.shows("/trader/approvals/{approval_id}")
def approval(visit: Visit) -> Response:
    found = visit.desk.read(
        read_approval, "v1ClientPendingApprovalGetRoute", approval_id=visit.path_ids["approval_id"]
    ).pending_approval
    partners = names.partners(visit.desk, [found.partner_id] if found.partner_id else [])
    own = visit.visitor.actor.actor_id == found.initiated_by
    return visit.show("traders/approval.html", approval=found, partners=partners, own=own)


@pages.does("/trader/approvals/{approval_id}/decide", approval, work=Work.WAITS_FOR_PARTNER)
def decide(visit: Visit) -> Response:
    approval_id = visit.path_ids["approval_id"]
    fields = visit.given("decision", "notes")
    visit.desk.act(decide_approval, fields, "v1ClientPendingApprovalPutRoute", approval_id=approval_id)
    return visit.go_to(f"{TRADER}/approvals/{approval_id}", f"approval_{fields['decision']}")
