"""Proposals of operators: those that wait, and one with what it would change."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.operators import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.proposals.operator_routes import (
    approve_proposal,
    get_proposal,
    list_proposals,
    reject_proposal,
    withdraw_proposal,
)

pages: Final = Pages(for_operators=True)

_STATUSES: Final = ("pending", "carried_out", "rejected", "withdrawn", "expired")


@pages.shows("/proposals")
def proposals(visit: Visit) -> Response:
    wanted = visit.filters("statuses", "enterpriseIds")
    if not visit.request.query_params:
        wanted |= {"statuses": "pending"}
    found = visit.desk.listed(list_proposals, wanted)
    operators = names.operators(visit.desk, (each.proposed_by for each in found.body.proposals))
    return visit.show(
        "operators/proposals.html", found=found, operators=operators, statuses=_STATUSES, wanted=wanted
    )


@pages.shows("/proposals/{proposal_id}")
def proposal(visit: Visit) -> Response:
    found = visit.desk.read(get_proposal, proposal_id=visit.path_ids["proposal_id"]).proposal
    people = {found.proposed_by, *(each.operator_id for each in found.approvals)}
    operator = visit.visitor.operator
    return visit.show(
        "operators/proposal.html",
        proposal=found,
        operators=names.operators(visit.desk, people | ({found.ended_by} if found.ended_by else set())),
        own=operator is not None and str(operator.operator_id) == found.proposed_by,
        code_needed=visit.needs_code(),
    )


@pages.does("/proposals/{proposal_id}/approve", proposal)
def approve(visit: Visit) -> Response:
    proposal_id = visit.path_ids["proposal_id"]
    visit.desk.act(approve_proposal, {}, proposal_id=proposal_id)
    return visit.go_to(f"{PREFIX}/proposals/{proposal_id}", "proposal_approved")


@pages.does("/proposals/{proposal_id}/reject", proposal)
def reject(visit: Visit) -> Response:
    proposal_id = visit.path_ids["proposal_id"]
    visit.desk.act(reject_proposal, visit.given("reason"), proposal_id=proposal_id)
    return visit.go_to(f"{PREFIX}/proposals/{proposal_id}", "proposal_rejected")


@pages.does("/proposals/{proposal_id}/withdraw", proposal)
def withdraw(visit: Visit) -> Response:
    proposal_id = visit.path_ids["proposal_id"]
    visit.desk.act(withdraw_proposal, visit.given("reason"), proposal_id=proposal_id)
    return visit.go_to(f"{PREFIX}/proposals/{proposal_id}", "proposal_withdrawn")
