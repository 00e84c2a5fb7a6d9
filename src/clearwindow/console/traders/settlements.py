"""Settlements as their client sees them: what is open, what it takes from which connection, and a dispute of it."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console import signing
from clearwindow.console.coins import amounts_of
from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.traders import acts
from clearwindow.core.clock import parse_moment
from clearwindow.core.errors import InvalidRequestError
from clearwindow.liquidity.forecasts.routes import forecast_for_client
from clearwindow.settlements.routes import get_for_client, list_for_client, list_transfers_for_client
from clearwindow.statements.routes import list_net_orders_for_client

pages: Final = Pages(for_operators=False)

_STATUSES: Final = ("pending", "failed", "completed", "rejected")
_FEW: Final = {"pageSize": "1"}
_MANY: Final = {"pageSize": "200"}


@pages.shows("/trader/settlements")
def settlements(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "partnerIds", "onlyShowDisputed")
    found = visit.desk.listed(list_for_client, wanted, "v1ClientSettlementsGetRoute")
    partners = names.partners(visit.desk, (each.partner_id for each in found.body.settlements))
    return visit.show("traders/settlements.html", found=found, partners=partners, statuses=_STATUSES)


@pages.shows("/trader/settlements/{settlement_id}")
def settlement(visit: Visit) -> Response:
    desk, settlement_id = visit.desk, visit.path_ids["settlement_id"]
    detail = desk.listed(get_for_client, _FEW, "v1ClientSettlementGetRoute", settlement_id=settlement_id)
    found = detail.body.settlement
    orders = desk.listed(
        list_net_orders_for_client, _MANY, "v1ClientSettlementNetOrdersGetRoute", settlement_id=found.id
    )
    forecast = desk.listed(
        forecast_for_client, _MANY, "v1ClientSettlementForecastGetRoute", settlement_id=found.id
    ).body
    transfers = desk.listed(
        list_transfers_for_client,
        {"settlementIds": found.id, **visit.filters("currencies")},
        "v1ClientSettlementTransfersGetRoute",
    )
    stakes = forecast.forecasts[0].network_accounts if forecast.forecasts else []
    sides = [(each.payer_connection_id, each.payee_connection_id) for each in orders.body.net_orders]
    disputes = [*detail.body.settlement_disputes, *detail.body.settling_disputes]
    named = {
        *(each for pair in sides for each in pair if each),
        *(each.connection_id for each in stakes),
        *(each.connection_id for each in disputes),
    }
    connections = names.connections(desk, named)
    disputed = {each.connection_id for each in detail.body.settlement_disputes}
    deadline = parse_moment(found.dispute_deadline_at) if found.dispute_deadline_at else None
    return visit.show(
        "traders/settlement.html",
        settlement=found,
        orders=orders,
        stakes=stakes,
        steps=forecast.forecasts[0].steps if forecast.forecasts else [],
        transfers=transfers,
        connections=connections,
        partner=names.partners(desk, [found.partner_id]).get(found.partner_id, found.partner_id),
        disputes=detail.body.settlement_disputes,
        settling=detail.body.settling_disputes,
        may_dispute=found.stage == "dispute_window" and deadline is not None and deadline > visit.now(),
        undisputed=[each for each in connections.values() if each.id not in disputed],
        currencies=sorted({each.currency for each in orders.body.net_orders}),
        all_currencies=[each.name for each in visit.currencies()],
    )


@pages.does("/trader/settlements/{settlement_id}/dispute", settlement)
def dispute(visit: Visit) -> Response:
    expected = amounts_of(visit.form, visit.decimals())
    if bool(expected) == (visit.form.get("nothing") == "yes"):
        raise InvalidRequestError(
            "request_invalid",
            "expected: enter what should move instead of the settlement's amounts, or say that nothing should",
        )
    fields = {
        "connectionId": visit.form.get("connectionId", ""),
        "expectedTransfers": expected,
        **visit.given("reason"),
    }
    return signing.to_sign(visit, acts.RAISE, {"settlementId": visit.path_ids["settlement_id"]}, fields)
