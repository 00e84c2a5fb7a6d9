"""Money: in custody and at each exchange, and what holds it."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.liquidity.movable.routes import movable_of_account
from clearwindow.network.routes import client_balances

pages: Final = Pages(for_operators=False)


@pages.shows("/trader/money")
def money(visit: Visit) -> Response:
    desk, client = visit.desk, visit.sides().client
    found = desk.listed(client_balances, visit.filters("partnerIds"), "v1ClientBalancesGetRoute")
    # An enterprise that is no client has been refused by now.
    account_id = client.go_account_id.hex if client else ""
    funds = desk.read(movable_of_account, "v1GoAccountMovableFundsGetRoute", go_account_id=account_id)
    return visit.show(
        "traders/money.html",
        balances=found,
        account_id=account_id,
        funds={each.currency: each.go_account for each in funds.movable_funds},
        partners=names.partners(desk, (each.partner_id for each in found.body.network_balances.values())),
    )
