"""Enterprises: the list, and one with its people, tokens, accounts, connections and endpoints."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.operators import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.custody.operator_routes import list_go_accounts
from clearwindow.identity.directory.operator_routes import (
    get_enterprise,
    list_enterprises,
    list_memberships,
    list_tokens,
)
from clearwindow.network.operator_routes import (
    list_clients,
    list_configurations,
    list_connections,
    list_partners,
)
from clearwindow.webhooks.endpoint_routes import list_webhook_endpoints

pages: Final = Pages(for_operators=True)


@pages.shows("/enterprises")
def enterprises(visit: Visit) -> Response:
    found = visit.desk.listed(list_enterprises, visit.filters("names", "ids", "licensed"))
    return visit.show("operators/enterprises.html", found=found)


@pages.shows("/enterprises/{enterprise_id}")
def enterprise(visit: Visit) -> Response:
    desk, enterprise_id = visit.desk, visit.path_ids["enterprise_id"]
    found = desk.read(get_enterprise, enterprise_id=enterprise_id).enterprise
    of_it = {"enterpriseIds": [enterprise_id]}
    partners = desk.listed(list_partners, of_it).body.partners
    clients = desk.listed(list_clients, of_it).body.clients
    connections = [
        desk.listed(list_connections, {name: [each.id for each in sides]})
        for name, sides in (("clientIds", clients), ("partnerIds", partners))
        if sides
    ]
    listed = [each for one in connections for each in one.body.connections]
    return visit.show(
        "operators/enterprise.html",
        enterprise=found,
        people=desk.listed(list_memberships, of_it),
        tokens=desk.listed(list_tokens, {**of_it, "active": "true"}),
        accounts=desk.listed(list_go_accounts, of_it),
        partners=partners,
        clients=clients,
        configurations=desk.listed(list_configurations, of_it).body.partner_configurations,
        connections=listed,
        connection_count=sum(one.total for one in connections),
        sides=names.sides(desk, (each.id for each in listed)),
        partner_names=names.partners(desk, (each.partner_id for each in listed)),
        webhooks=desk.listed(list_webhook_endpoints, of_it),
    )
