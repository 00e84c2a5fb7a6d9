"""Connections to the exchange, and what is free and held on each of them."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.exchanges import names, units
from clearwindow.console.routing import Pages, Visit
from clearwindow.network.routes import partner_balances

pages: Final = Pages(for_operators=False)


@pages.shows("/exchange/connections")
def connections(visit: Visit) -> Response:
    wanted = visit.filters("partnersConnectionIds", "connectionIds")
    found = visit.desk.listed(partner_balances, wanted, "v1PartnerBalancesGetRoute")
    return visit.show(
        "exchanges/connections.html",
        found=found,
        connections=names.connections(visit.desk, found.body.network_balances),
        own=units.of(visit),
    )
