"""What is open for an enterprise: what an exchange must top up by when, and what a trader is about to lose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from fastapi import Response
from pydantic import BaseModel

from clearwindow.allocations.routes import list_partner_allocations
from clearwindow.allocations.schemas import AllocationList
from clearwindow.console.operations import Listed
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.errors import RequestError
from clearwindow.liquidity.calendar.routes import calendar_of_client, calendar_of_partner
from clearwindow.liquidity.calendar.schemas import ClientCalendarAnswer, PartnerCalendarAnswer
from clearwindow.liquidity.top_ups.routes import top_ups_of_partner
from clearwindow.liquidity.top_ups.schemas import TopUpsAnswer
from clearwindow.network.endpoint_routes import partner_endpoint
from clearwindow.network.routes import list_client_connections, list_partners
from clearwindow.partner_calls.schemas import OwnEndpointOutput
from clearwindow.settlements.disputes.routes import list_for_partner
from clearwindow.settlements.disputes.schemas import DisputesAnswer

pages: Final = Pages(for_operators=False)

M = TypeVar("M", bound=BaseModel)

_CALENDAR: Final = {"pageSize": "50"}
_COUNTED: Final = {"pageSize": "1"}
_NAMES: Final = {"pageSize": "500"}
_NEITHER: Final = frozenset({"not_a_partner", "not_a_client"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is open for an exchange.

    Attributes:
        needs: what it must top up as disputes stand, and ``worst`` if everybody disputes.
        disputes: how many are not closed, ``reserved``: how many allocations wait, ``calls``: how many calls wait.
    """

    calendar: Listed[PartnerCalendarAnswer]
    needs: TopUpsAnswer
    worst: TopUpsAnswer
    disputes: Listed[DisputesAnswer]
    reserved: Listed[AllocationList]
    endpoint: OwnEndpointOutput

    def in_stage(self, stage: str) -> int:
        """Returns how many settlements of the shown deadlines are in this stage."""
        return len({each.settlement_id for each in self.calendar.body.deadlines if each.stage == stage})

    @property
    def failed(self) -> dict[str, str]:
        """The failed settlements that lack money: their names by their ids."""
        return {each.settlement_id: each.external_id for each in self.needs.top_ups if each.overdue}


@pages.shows("/today")
def today(visit: Visit) -> Response:
    trader = _of_trader(visit)
    return visit.show(
        "members/today.html",
        exchange=_of_exchange(visit),
        trader=trader,
        connections=_connections(visit, trader),
        partners=_partners(visit),
    )


def _of_exchange(visit: Visit) -> Exchange | None:
    desk = visit.desk
    try:
        calendar = desk.listed(calendar_of_partner, _CALENDAR, "v1PartnerCalendarGetRoute")
    except RequestError as error:
        if error.name not in _NEITHER:
            raise
        return None
    return Exchange(
        calendar,
        desk.read_with(top_ups_of_partner, {}, "v1PartnerTopUpsGetRoute"),
        desk.read_with(top_ups_of_partner, {"worstCase": "true"}, "v1PartnerTopUpsGetRoute"),
        desk.listed(list_for_partner, {"closed": "false", **_COUNTED}, "listPartnerSettlementDisputes"),
        desk.listed(list_partner_allocations, {"statuses": "reserved", **_COUNTED}, "v1PartnerAllocationsGetRoute"),
        desk.read(partner_endpoint, "v1PartnerEndpointGetRoute").partner_endpoint,
    )


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
