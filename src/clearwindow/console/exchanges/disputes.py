"""Disputes of the exchange's settlements: those that stand, and one side by side."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.dispute_rows import rows_of
from clearwindow.console.exchanges import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.errors import NotFoundError
from clearwindow.settlements.disputes.routes import list_for_partner
from clearwindow.settlements.routes import get_for_partner
from clearwindow.settlements.views import own_sums

pages: Final = Pages(for_operators=False)

_FEW: Final = {"pageSize": "1"}


@pages.shows("/exchange/disputes")
def disputes(visit: Visit) -> Response:
    wanted = visit.filters("closed", "settlementIds", "settlementExternalIds", "showRetracted")
    if not visit.request.query_params:
        wanted |= {"closed": "false"}
    found = visit.desk.listed(list_for_partner, wanted, "listPartnerSettlementDisputes")
    connections = names.connections(visit.desk, (each.connection_id for each in found.body.disputes))
    return visit.show("exchanges/disputes.html", found=found, wanted=wanted, connections=connections)


@pages.shows("/exchange/disputes/{dispute_id}")
def dispute(visit: Visit) -> Response:
    desk = visit.desk
    wanted = {"disputeIds": visit.path_ids["dispute_id"], "showRetracted": "true"}
    found = desk.listed(list_for_partner, wanted, "listPartnerSettlementDisputes").body.disputes
    if not found:
        raise NotFoundError("dispute_not_found", "there is no dispute of your settlements with this id")
    shown = found[0]
    settlement = desk.listed(
        get_for_partner, _FEW, "v1PartnerSettlementGetRoute", settlement_id=shown.disputed_settlement_id
    ).body.settlement
    settled = own_sums(visit.runtime, settlement.id, [shown.connection_id]).get(shown.connection_id, {})
    return visit.show(
        "exchanges/dispute.html",
        dispute=shown,
        settlement=settlement,
        connection=names.connections(desk, [shown.connection_id]).get(shown.connection_id),
        rows=rows_of(shown, settled),
    )
