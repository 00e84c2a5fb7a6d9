"""The exchange's own endpoint: whether it is called now, and the calls that wait for an answer."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.routing import Pages, Visit
from clearwindow.network.endpoint_routes import partner_calls, partner_endpoint

pages: Final = Pages(for_operators=False)


@pages.shows("/exchange/endpoint")
def endpoint(visit: Visit) -> Response:
    wanted = visit.filters("owed", "subjectIds")
    if not visit.request.query_params:
        wanted |= {"owed": "true"}
    return visit.show(
        "exchanges/endpoint.html",
        endpoint=visit.desk.read(partner_endpoint, "v1PartnerEndpointGetRoute").partner_endpoint,
        calls=visit.desk.listed(partner_calls, wanted, "v1PartnerCallsGetRoute"),
        wanted=wanted,
    )
