"""Settlements as their exchange sees them: their stages, what they need of its account, and taking one back."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console import signing
from clearwindow.console.exchanges import acts, names
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.clock import parse_moment
from clearwindow.liquidity.forecasts.routes import forecast_for_partner
from clearwindow.settlements.routes import get_for_partner, list_for_partner, list_transfers_for_partner
from clearwindow.statements.routes import list_net_orders_for_partner

pages: Final = Pages(for_operators=False)

_FEW: Final = {"pageSize": "1"}
_MANY: Final = {"pageSize": "200"}


@pages.shows("/exchange/settlements")
def settlements(visit: Visit) -> Response:
    wanted = visit.filters("externalIds", "onlyShowDisputed")
    found = visit.desk.listed(list_for_partner, wanted, "v1PartnerSettlementsGetRoute")
    return visit.show("exchanges/settlements.html", found=found)


@pages.shows("/exchange/settlements/{settlement_id}")
def settlement(visit: Visit) -> Response:
    desk, settlement_id = visit.desk, visit.path_ids["settlement_id"]
    detail = desk.listed(get_for_partner, _FEW, "v1PartnerSettlementGetRoute", settlement_id=settlement_id).body
    found = detail.settlement
    orders = desk.listed(
        list_net_orders_for_partner, _MANY, "v1PartnerSettlementNetOrdersGetRoute", settlement_id=found.id
    )
    forecasts = desk.listed(
        forecast_for_partner, _FEW, "v1PartnerSettlementForecastGetRoute", settlement_id=found.id
    ).body.forecasts
    transfers = desk.listed(
        list_transfers_for_partner,
        visit.filters("currencies"),
        "v1PartnerSettlementTransfersGetRoute",
        settlement_id=found.id,
    )
    disputes = [*detail.settlement_disputes, *detail.settling_disputes]
    sides = [(each.payer_connection_id, each.payee_connection_id) for each in orders.body.net_orders]
    named = {*(each for pair in sides for each in pair if each), *(each.connection_id for each in disputes)}
    deadline = parse_moment(found.dispute_deadline_at) if found.dispute_deadline_at else None
    return visit.show(
        "exchanges/settlement.html",
        settlement=found,
        orders=orders,
        forecasts=forecasts,
        transfers=transfers,
        disputes=detail.settlement_disputes,
        settling=detail.settling_disputes,
        connections=names.connections(desk, named),
        in_window=found.stage == "dispute_window" and deadline is not None and deadline > visit.now(),
    )


@pages.does("/exchange/settlements/{settlement_id}/withdraw", settlement)
def withdraw(visit: Visit) -> Response:
    fields = {"reason": visit.form.get("reason", "").strip()}
    return signing.to_sign(visit, acts.WITHDRAW, {"settlementId": visit.path_ids["settlement_id"]}, fields)
