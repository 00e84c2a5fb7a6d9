"""All routes of the console."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.console import front, own, signed
from clearwindow.console.exchanges import allocations as exchanges_allocations
from clearwindow.console.exchanges import connections as exchanges_connections
from clearwindow.console.exchanges import disputes as exchanges_disputes
from clearwindow.console.exchanges import endpoint, staging
from clearwindow.console.exchanges import settlements as exchanges_settlements
from clearwindow.console.members import statements, today, tokens, webhooks
from clearwindow.console.operators import accounts, disputes, enterprises, now, proposals, settlements
from clearwindow.console.traders import allocations, compare, connections, money
from clearwindow.console.traders import disputes as traders_disputes
from clearwindow.console.traders import settlements as traders_settlements

PARTS: Final = (
    own.pages,
    today.pages,
    now.pages,
    settlements.pages,
    disputes.pages,
    proposals.pages,
    enterprises.pages,
    accounts.pages,
    money.pages,
    traders_settlements.pages,
    traders_disputes.pages,
    compare.pages,
    connections.pages,
    allocations.pages,
    exchanges_settlements.pages,
    staging.pages,
    exchanges_disputes.pages,
    exchanges_connections.pages,
    exchanges_allocations.pages,
    endpoint.pages,
    webhooks.pages,
    tokens.pages,
    statements.pages,
    signed.pages,
)


def console_router() -> APIRouter:
    """Returns the routes. The last one answers every address that no page has."""
    router = APIRouter(include_in_schema=False)
    for part in (front.router, *(each.router for each in PARTS)):
        router.routes.extend(part.routes)
    front.add_rest(router)
    return router
