"""Routes of forecasts. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, ServerRuntime, counted
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.liquidity.forecasts import schemas, views
from clearwindow.liquidity.forecasts.models import SettlementForecast
from clearwindow.postgres.paging import Slice

router: Final = member_router("liquidity", NETWORK_V1)


@router.get(
    "/partners/settlements/{settlement_id}/forecast",
    operation_id="v1PartnerSettlementForecastGetRoute",
    summary="See what happens to a settlement of the partner if nothing changes",
    responses=may_raise("not_a_partner", "settlement_not_found"),
)
def forecast_for_partner(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    filters: Filters[schemas.PartnerForecastFilters],
) -> Answer[schemas.ForecastAnswer]:
    """Answers what each deadline brings: whether the settlement completes, what moves, what is held, what is short.

    Open settlements of the partner with earlier deadlines are carried out first, because they share its account.
    """
    known = parse_uuid(settlement_id)
    found = views.for_partner(runtime, member, known, filters.connection_ids, Slice(filters.limit, filters.offset))
    return counted(schemas.partner_answer(found), _total(found))


@router.get(
    "/clients/settlements/{settlement_id}/forecast",
    operation_id="v1ClientSettlementForecastGetRoute",
    summary="See what happens to the client's part of a settlement if nothing changes",
    responses=may_raise("not_a_client", "settlement_not_found"),
)
def forecast_for_client(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    filters: Filters[schemas.ClientForecastFilters],
) -> Answer[schemas.ForecastAnswer]:
    """Answers what moves and what is held on the client's own connections, if the partner has the money then."""
    found = views.for_client(runtime, member, parse_uuid(settlement_id), Slice(filters.limit, filters.offset))
    return counted(schemas.client_answer(found), _total(found))


def _total(found: SettlementForecast) -> int:
    """Returns the number of network accounts, which is the same in every forecast of the settlement."""
    return found.forecasts[0].page.total if found.forecasts else 0
