"""A client's disputes: those that stand, and one side by side, to retract or to give up."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console import signing
from clearwindow.console.dispute_rows import rows_of
from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.traders import acts
from clearwindow.core.clock import parse_moment
from clearwindow.core.errors import NotFoundError
from clearwindow.settlements.disputes.routes import list_for_client
from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput
from clearwindow.settlements.routes import get_for_client
from clearwindow.settlements.views import own_sums

pages: Final = Pages(for_operators=False)

_FEW: Final = {"pageSize": "1"}


@pages.shows("/trader/disputes")
def disputes(visit: Visit) -> Response:
    wanted = visit.filters("closed", "settlementIds", "connectionIds")
    if not visit.request.query_params:
        wanted |= {"closed": "false"}
    found = visit.desk.listed(list_for_client, wanted, "listClientSettlementDisputes")
    connections = names.connections(visit.desk, (each.connection_id for each in found.body.disputes))
    partners = names.partners(visit.desk, (each.partner_id for each in connections.values()))
    return visit.show(
        "traders/disputes.html", found=found, wanted=wanted, connections=connections, partners=partners
    )


@pages.shows("/trader/disputes/{dispute_id}")
def dispute(visit: Visit) -> Response:
    desk, found = visit.desk, _found(visit)
    settlement = desk.listed(
        get_for_client, _FEW, "v1ClientSettlementGetRoute", settlement_id=found.disputed_settlement_id
    ).body.settlement
    connection = names.connections(desk, [found.connection_id])[found.connection_id]
    settled = own_sums(visit.runtime, settlement.id, [connection.id])
    deadline = parse_moment(settlement.dispute_deadline_at) if settlement.dispute_deadline_at else None
    return visit.show(
        "traders/dispute.html",
        dispute=found,
        settlement=settlement,
        connection=connection,
        partner=names.partners(desk, [settlement.partner_id]).get(settlement.partner_id, settlement.partner_id),
        rows=rows_of(found, settled.get(connection.id, {})),
        in_window=settlement.stage == "dispute_window" and deadline is not None and deadline > visit.now(),
    )


@pages.does("/trader/disputes/{dispute_id}/retract", dispute)
def retract(visit: Visit) -> Response:
    return _updated(visit, retracted=True)


@pages.does("/trader/disputes/{dispute_id}/reinstate", dispute)
def reinstate(visit: Visit) -> Response:
    return _updated(visit, retracted=False)


@pages.does("/trader/disputes/{dispute_id}/close", dispute)
def close(visit: Visit) -> Response:
    fields = {"notes": visit.form.get("notes", "")}
    return signing.to_sign(visit, acts.CLOSE, {"disputeId": visit.path_ids["dispute_id"]}, fields)


def _updated(visit: Visit, *, retracted: bool) -> Response:
    found = _found(visit)
    fields = {"connectionId": found.connection_id, "retracted": retracted, **visit.given("reason")}
    return signing.to_sign(visit, acts.UPDATE, {"disputeId": found.id}, fields)


def _found(visit: Visit) -> DisputeWithClosureOutput:
    wanted = {"disputeIds": visit.path_ids["dispute_id"]}
    found = visit.desk.listed(list_for_client, wanted, "listClientSettlementDisputes").body.disputes
    if not found:
        raise NotFoundError("dispute_not_found", "there is no dispute of yours with this id")
    return found[0]
