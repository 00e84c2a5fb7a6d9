"""Operators read, approve, reject and withdraw proposals, and collect the values that they made."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, OptionalJsonBody, ServerRuntime, paged
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.identity.second_factor.guard import CODE_ERRORS, ApprovingOperator
from clearwindow.proposals import service, views
from clearwindow.proposals.schemas import (
    CollectedAnswer,
    EndRequest,
    ProposalAnswer,
    ProposalFilters,
    ProposalsAnswer,
    collected_answer,
    proposal_answer,
    proposals_answer,
)

router: Final = operator_router("proposals")


@router.get("/proposals", summary="List the proposals, newest first")
def list_proposals(runtime: ServerRuntime, filters: Filters[ProposalFilters]) -> Answer[ProposalsAnswer]:
    """`statuses=pending` lists those that wait for other operators."""
    found = views.list_proposals(runtime, filters.to_model())
    return paged(proposals_answer(found.items), found, filters)


@router.get("/proposals/{proposal_id}", summary="Get one proposal", responses=may_raise("proposal_unknown"))
def get_proposal(runtime: ServerRuntime, proposal_id: str) -> ProposalAnswer:
    return proposal_answer(views.get_proposal(runtime, parse_uuid(proposal_id) or NIL))


@router.post(
    "/proposals/{proposal_id}/approve",
    summary="Approve a proposal. The last approval that it needs carries it out",
    responses=may_raise(
        "proposal_unknown",
        "proposal_ended",
        "proposal_target_changed",
        "proposer_not_in_office",
        "own_proposal",
        "same_approver",
        "acted_as_client",
        "approver_needed",
        "proposal_act_refused",
        *CODE_ERRORS,
    ),
)
def approve_proposal(runtime: ServerRuntime, operator: ApprovingOperator, proposal_id: str) -> ProposalAnswer:
    """If what it changes has changed meanwhile, nothing is done, and the details say what changed."""
    return proposal_answer(service.approve(runtime, operator, parse_uuid(proposal_id) or NIL))


@router.post(
    "/proposals/{proposal_id}/reject",
    summary="Reject a proposal of another operator",
    responses=may_raise(
        "proposal_unknown", "proposal_ended", "own_proposal", "same_approver", "acted_as_client", "approver_needed"
    ),
)
def reject_proposal(
    runtime: ServerRuntime, operator: ActingOperator, proposal_id: str, body: OptionalJsonBody[EndRequest]
) -> ProposalAnswer:
    return proposal_answer(service.reject(runtime, operator, parse_uuid(proposal_id) or NIL, body.model.reason))


@router.post(
    "/proposals/{proposal_id}/withdraw",
    summary="Withdraw one's own proposal",
    responses=may_raise("proposal_unknown", "proposal_ended", "not_the_proposer"),
)
def withdraw_proposal(
    runtime: ServerRuntime, operator: ActingOperator, proposal_id: str, body: OptionalJsonBody[EndRequest]
) -> ProposalAnswer:
    return proposal_answer(service.withdraw(runtime, operator, parse_uuid(proposal_id) or NIL, body.model.reason))


@router.post(
    "/proposals/{proposal_id}/collect",
    summary="Collect the token that one's own proposal has made, once",
    responses=may_raise("proposal_unknown", "not_the_proposer", "nothing_to_collect"),
)
def collect_value(runtime: ServerRuntime, operator: ActingOperator, proposal_id: str) -> CollectedAnswer:
    """The value is shown only in this answer."""
    record, value = service.collect(runtime, operator, parse_uuid(proposal_id) or NIL)
    return collected_answer(record, value)
