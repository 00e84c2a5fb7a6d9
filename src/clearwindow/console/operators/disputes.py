"""Disputes: those that stand, and one with what was settled, what is expected and what is adjusted."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.coins import amounts_of
from clearwindow.console.dispute_rows import rows_of
from clearwindow.console.operators import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.core.errors import NotFoundError
from clearwindow.custody.operator_routes import list_currencies
from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput
from clearwindow.settlements.operator_routes import (
    cancel_closure,
    close_dispute,
    get_settlement,
    list_closures,
    list_disputes,
    review_closure,
)
from clearwindow.settlements.views import own_sums

pages: Final = Pages(for_operators=True)


@pages.shows("/disputes")
def disputes(visit: Visit) -> Response:
    wanted = visit.filters("closed", "retracted", "partnerIds", "settlementIds")
    if not visit.request.query_params:
        wanted |= {"closed": "false", "retracted": "false"}
    found = visit.desk.listed(list_disputes, wanted)
    sides = names.sides(visit.desk, (each.connection_id for each in found.body.disputes))
    return visit.show("operators/disputes.html", found=found, sides=sides, wanted=wanted)


@pages.shows("/disputes/{dispute_id}")
def dispute(visit: Visit) -> Response:
    desk, found = visit.desk, _found(visit)
    settlement = desk.listed(get_settlement, {"pageSize": "1"}, settlement_id=found.disputed_settlement_id)
    side = names.sides(desk, [found.connection_id]).get(found.connection_id)
    closures = desk.listed(list_closures, {"disputeIds": found.id})
    shown = settlement.body.settlement
    settled = own_sums(visit.runtime, shown.id, [found.connection_id]).get(found.connection_id, {})
    return visit.show(
        "operators/dispute.html",
        dispute=found,
        rows=rows_of(found, settled),
        settlement=shown,
        side=side,
        closures=closures.body.dispute_closures,
        partner=names.partners(desk, [shown.partner_id]).get(shown.partner_id, shown.partner_id),
        operators=names.operators(
            desk, (each.reviewed_by for each in closures.body.dispute_closures if each.reviewed_by)
        ),
        code_needed=visit.needs_code(),
    )


@pages.does("/disputes/{dispute_id}/close", dispute)
def close(visit: Visit) -> Response:
    dispute_id = visit.path_ids["dispute_id"]
    fields = {"adjustedTransfers": _amounts(visit), **visit.given("notes")}
    visit.desk.act(close_dispute, fields, dispute_id=dispute_id)
    return visit.go_to(f"{PREFIX}/disputes/{dispute_id}", "dispute_closed")


@pages.does("/disputes/{dispute_id}/closures/{closure_id}/review", dispute)
def review(visit: Visit) -> Response:
    dispute_id, closure_id = visit.path_ids["dispute_id"], visit.path_ids["closure_id"]
    fields = visit.given("decision", "notes")
    visit.desk.act(review_closure, fields, closure_id=closure_id)
    done = "closure_approved" if fields.get("decision") == "approved" else "closure_rejected"
    return visit.go_to(f"{PREFIX}/disputes/{dispute_id}", done)


@pages.does("/disputes/{dispute_id}/closures/{closure_id}/cancel", dispute)
def cancel(visit: Visit) -> Response:
    dispute_id, closure_id = visit.path_ids["dispute_id"], visit.path_ids["closure_id"]
    answer = visit.desk.act(cancel_closure, visit.given("reason"), closure_id=closure_id)
    return visit.go_to(f"{PREFIX}/disputes/{dispute_id}", visit.outcome(answer, "closure_cancelled"))


def _found(visit: Visit) -> DisputeWithClosureOutput:
    wanted = {"disputeIds": visit.path_ids["dispute_id"]}
    found = visit.desk.listed(list_disputes, wanted).body.disputes
    if not found:
        raise NotFoundError("dispute_not_found", "there is no dispute with this id")
    return found[0]


def _amounts(visit: Visit) -> dict[str, str]:
    decimals = {each.name: each.decimals for each in visit.desk.read(list_currencies, "currencies").currencies}
    return amounts_of(visit.form, decimals)
