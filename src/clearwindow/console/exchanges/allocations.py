"""Allocations to the exchange, and its decision about those that wait for it."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from fastapi import Response

from clearwindow.allocations.routes import list_partner_allocations, partner_allocation
from clearwindow.allocations.schemas import ListedAllocation
from clearwindow.console import signing
from clearwindow.console.exchanges import acts, names, units
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.errors import InvalidRequestError

pages: Final = Pages(for_operators=False)

_STATUSES: Final = ("reserved", "cleared", "released")
_DECISIONS: Final = ("cleared", "released")
_NEWEST: Final = {"sortDirection": "DESC"}


@pages.shows("/exchange/allocations")
def allocations(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "types", "connectionIds")
    if not visit.request.query_params:
        wanted |= {"statuses": "reserved"}
    found = visit.desk.listed(list_partner_allocations, {**wanted, **_NEWEST}, "v1PartnerAllocationsGetRoute")
    return visit.show(
        "exchanges/allocations.html",
        found=found,
        wanted=wanted,
        statuses=_STATUSES,
        connections=names.connections(visit.desk, (each.connection_id for each in found.body.allocations)),
        own=units.of(visit),
    )


@pages.shows("/exchange/allocations/{allocation_id}")
def allocation(visit: Visit) -> Response:
    found = _found(visit)
    return visit.show(
        "exchanges/allocation.html",
        allocation=found,
        connection=names.connections(visit.desk, [found.connection_id]).get(found.connection_id),
        operation=_act(found).operation_id,
        own=units.of(visit),
        own_id=found.partner_external_id or f"console-{uuid4().hex[:12]}",
    )


@pages.does("/exchange/allocations/{allocation_id}/decide", allocation)
def decide(visit: Visit) -> Response:
    found, status = _found(visit), visit.form.get("status", "")
    if status not in _DECISIONS:
        raise InvalidRequestError("request_invalid", "status: clear the money, or release it")
    connection = names.connections(visit.desk, [found.connection_id])[found.connection_id]
    if connection.partners_client_id is None or connection.partners_connection_id is None:
        raise InvalidRequestError("request_invalid", "connection: your own ids of it are not known yet")
    named = found.type.capitalize()
    fields = {
        "amount": {"currency": found.amount.currency, "quantity": found.amount.quantity},
        "clientId": connection.client_id,
        "connectionId": connection.id,
        "partnersClientId": connection.partners_client_id,
        "partnersConnectionId": connection.partners_connection_id,
        f"{found.type}Id": found.id,
        f"partners{named}Id": visit.form.get("ownId", "").strip(),
        "status": status,
        **({"rejectReason": visit.form["rejectReason"]} if status == "released" and _reason(visit) else {}),
    }
    unit = units.of(visit).unit
    return signing.to_sign(visit, _act(found), {}, fields, amount_unit=unit)


def _found(visit: Visit) -> ListedAllocation:
    wanted_id = visit.path_ids["allocation_id"]
    return visit.desk.read(partner_allocation, "v1PartnerAllocationGetRoute", allocation_id=wanted_id).allocation


def _act(found: ListedAllocation) -> signing.Act:
    return acts.DECIDE_ALLOCATION if found.type == "allocation" else acts.DECIDE_DEALLOCATION


def _reason(visit: Visit) -> bool:
    return bool(visit.form.get("rejectReason", "").strip())
