"""What is open for an enterprise: what an exchange must top up by when, and what a trader is about to lose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from fastapi import Response
from pydantic import BaseModel

from clearwindow.console.operations import Listed
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.errors import RequestError
from clearwindow.liquidity.calendar.routes import calendar_of_client, calendar_of_partner
from clearwindow.liquidity.calendar.schemas import ClientCalendarAnswer, PartnerCalendarAnswer
from clearwindow.liquidity.top_ups.routes import top_ups_of_partner
from clearwindow.liquidity.top_ups.schemas import TopUpsAnswer
from clearwindow.network.routes import list_client_connections, list_partners

pages: Final = Pages(for_operators=False)

M = TypeVar("M", bound=BaseModel)

_CALENDAR: Final = {"pageSize": "50"}
_NAMES: Final = {"pageSize": "500"}
_NEITHER: Final = frozenset({"not_a_partner", "not_a_client"})


@pages.shows("/today")
def today(visit: Visit) -> Response:
    exchange, needs, worst = _of_exchange(visit)
    trader = _of_trader(visit)
    return visit.show(
        "members/today.html",
        exchange=exchange,
        needs=needs,
        worst=worst,
        trader=trader,
        connections=_connections(visit, trader),
        partners=_partners(visit),
    )


def _of_exchange(
    visit: Visit,
) -> tuple[Listed[PartnerCalendarAnswer] | None, TopUpsAnswer | None, TopUpsAnswer | None]:
    desk = visit.desk
    try:
        calendar = desk.listed(calendar_of_partner, _CALENDAR, "v1PartnerCalendarGetRoute")
        needs = desk.read_with(top_ups_of_partner, {}, "v1PartnerTopUpsGetRoute")
        worst = desk.read_with(top_ups_of_partner, {"worstCase": "true"}, "v1PartnerTopUpsGetRoute")
    except RequestError as error:
        if error.name not in _NEITHER:
            raise
        return None, None, None
    return calendar, needs, worst


def _of_trader(visit: Visit) -> Listed[ClientCalendarAnswer] | None:
    try:
        return visit.desk.listed(calendar_of_client, _CALENDAR, "v1ClientCalendarGetRoute")
    except RequestError as error:
        if error.name not in _NEITHER:
            raise
        return None


def _connections(visit: Visit, trader: Listed[ClientCalendarAnswer] | None) -> dict[str, str]:
    """Returns the names of the connections that the trader's deadlines are about."""
    wanted = _ids(
        part.connection_id for each in (trader.body.deadlines if trader else ()) for part in each.network_accounts
    )
    if not wanted:
        return {}
    found = visit.desk.listed(
        list_client_connections, {"connectionIds": wanted, **_NAMES}, "v1ClientConnectionsGetRoute"
    )
    return {each.id: each.name for each in found.body.connections}


def _partners(visit: Visit) -> dict[str, str]:
    found = visit.desk.listed(list_partners, _NAMES, "v1PartnersGetRoute")
    return {each.id: each.name for each in found.body.partners}


def _ids(found: Iterable[str]) -> list[str]:
    return sorted(set(found))[: int(_NAMES["pageSize"])]
