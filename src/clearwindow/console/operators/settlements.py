"""Settlements: the list, and one with all that belongs to it."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.operators import life, names
from clearwindow.console.operators.reads import settlement_reads
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.settlements.operator_routes import (
    get_settlement,
    list_settlement_transfers,
    list_settlements,
    reject_settlement,
    retry_settlement,
)
from clearwindow.statements.operator_routes import list_net_orders

pages: Final = Pages(for_operators=True)

_STATUSES: Final = ("pending", "failed", "completed", "rejected")
_ORDERS: Final = {"pageSize": "25"}
_FEW: Final = {"pageSize": "1"}


@pages.shows("/settlements")
def settlements(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "externalIds", "partnerIds", "onlyShowDisputed")
    found = visit.desk.listed(list_settlements, wanted)
    partners = names.partners(visit.desk, (each.partner_id for each in found.body.settlements))
    return visit.show("operators/settlements.html", found=found, partners=partners, statuses=_STATUSES)


@pages.shows("/settlements/{settlement_id}")
def settlement(visit: Visit) -> Response:
    desk, settlement_id = visit.desk, visit.path_ids["settlement_id"]
    detail = desk.listed(get_settlement, _FEW, settlement_id=settlement_id)
    orders = desk.listed(list_net_orders, _ORDERS, settlement_id=settlement_id)
    found = detail.body.settlement
    reads = settlement_reads(desk, found)
    disputes = detail.body.settlement_disputes
    sides = names.sides(
        desk,
        {
            *(each.connection_id for each in (*disputes, *detail.body.settling_disputes)),
            *(each.payer_connection_id for each in orders.body.net_orders if each.payer_connection_id),
            *(each.payee_connection_id for each in orders.body.net_orders if each.payee_connection_id),
        },
    )
    people = names.operators(desk, (each.actor_id for each in reads.audit if each.actor_kind == "operator"))
    return visit.show(
        "operators/settlement.html",
        settlement=found,
        transfer_count=detail.total,
        disputes=disputes,
        settling=detail.body.settling_disputes,
        orders=orders,
        sides=sides,
        partner=names.partners(desk, [found.partner_id]).get(found.partner_id, found.partner_id),
        reads=reads,
        line=life.line_of(found, disputes, reads, people, visit.now()),
    )


@pages.shows("/settlements/{settlement_id}/transfers")
def transfers(visit: Visit) -> Response:
    desk, settlement_id = visit.desk, visit.path_ids["settlement_id"]
    detail = desk.listed(get_settlement, _FEW, settlement_id=settlement_id)
    found = desk.listed(list_settlement_transfers, visit.filters("currencies"), settlement_id=settlement_id)
    return visit.show("operators/transfers.html", settlement=detail.body.settlement, found=found)


@pages.does("/settlements/{settlement_id}/retry", settlement)
def retry(visit: Visit) -> Response:
    settlement_id = visit.path_ids["settlement_id"]
    visit.desk.act(retry_settlement, visit.given("reason"), settlement_id=settlement_id)
    return visit.go_to(f"{PREFIX}/settlements/{settlement_id}", "retried")


@pages.does("/settlements/{settlement_id}/reject", settlement)
def reject(visit: Visit) -> Response:
    settlement_id = visit.path_ids["settlement_id"]
    answer = visit.desk.act(reject_settlement, visit.given("reason"), settlement_id=settlement_id)
    return visit.go_to(f"{PREFIX}/settlements/{settlement_id}", visit.outcome(answer, "rejected"))
