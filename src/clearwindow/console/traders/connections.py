"""Connections to exchanges: what can be moved, what holds the rest, limits of loss, and a pause."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from fastapi import Response

from clearwindow.allocations.routes import list_client_allocations
from clearwindow.console import signing
from clearwindow.console.coins import base_units
from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.traders import acts
from clearwindow.liquidity.movable.routes import movable_of_connection
from clearwindow.loss_limits.routes import read_limits
from clearwindow.network.routes import client_connection, list_client_connections

pages: Final = Pages(for_operators=False)

_FEW: Final = {"pageSize": "8", "sortDirection": "DESC"}


@pages.shows("/trader/connections")
def connections(visit: Visit) -> Response:
    wanted = visit.filters("names", "partnerIds", "active")
    found = visit.desk.listed(list_client_connections, wanted, "v1ClientConnectionsGetRoute")
    partners = names.partners(visit.desk, (each.partner_id for each in found.body.connections))
    return visit.show("traders/connections.html", found=found, partners=partners)


@pages.shows("/trader/connections/{connection_id}")
def connection(visit: Visit) -> Response:
    desk, connection_id = visit.desk, visit.path_ids["connection_id"]
    found = desk.read(client_connection, "v1ClientConnectionGetRoute", connection_id=connection_id).connection
    return visit.show(
        "traders/connection.html",
        connection=found,
        partner=names.partners(desk, [found.partner_id]).get(found.partner_id, found.partner_id),
        movable=desk.read(
            movable_of_connection, "v1ClientMovableFundsGetRoute", connection_id=found.id
        ).movable_funds,
        limits=desk.read(read_limits, "v1ClientLossLimitsGetRoute", connection_id=found.id).loss_limits,
        allocations=desk.listed(
            list_client_allocations, {"connectionIds": found.id, **_FEW}, "v1ClientAllocationsGetRoute"
        ),
        currencies=visit.currencies(),
    )


@pages.does("/trader/connections/{connection_id}/allocate", connection)
def allocate(visit: Visit) -> Response:
    return _moved(visit, acts.ALLOCATE)


@pages.does("/trader/connections/{connection_id}/deallocate", connection)
def deallocate(visit: Visit) -> Response:
    return _moved(visit, acts.DEALLOCATE)


@pages.does("/trader/connections/{connection_id}/pause", connection)
def pause(visit: Visit) -> Response:
    return _changed(visit, active=False)


@pages.does("/trader/connections/{connection_id}/resume", connection)
def resume(visit: Visit) -> Response:
    return _changed(visit, active=True)


@pages.does("/trader/connections/{connection_id}/limits", connection)
def limits(visit: Visit) -> Response:
    currency, decimals = visit.form.get("currency", ""), visit.decimals()
    wanted = {
        name: None if not visit.form.get(name, "").strip() else base_units(currency, visit.form[name], decimals)
        for name in ("perSettlement", "perDay")
    }
    return signing.do_or_sign(visit, acts.CHANGE_LIMITS, _ids(visit), {"lossLimits": {currency: wanted}})


def _moved(visit: Visit, act: signing.Act) -> Response:
    currency = visit.form.get("currency", "")
    fields = {
        "amount": {
            "currency": currency,
            "quantity": base_units(currency, visit.form.get("amount", ""), visit.decimals()),
        },
        "clientExternalId": visit.form.get("reference", "").strip() or str(uuid4()),
        **visit.given("notes"),
    }
    return signing.to_sign(visit, act, _ids(visit), fields)


def _changed(visit: Visit, *, active: bool) -> Response:
    return signing.do_or_sign(visit, acts.CHANGE_CONNECTION, _ids(visit), {"active": active})


def _ids(visit: Visit) -> dict[str, str]:
    return {"connectionId": visit.path_ids["connection_id"]}
