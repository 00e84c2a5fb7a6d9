"""Proposals with their approvals, as operators read them."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.postgres.paging import Listing
from clearwindow.proposals import store
from clearwindow.proposals.models import ProposalFilter, ProposalRecord
from clearwindow.runtime import Runtime


def list_proposals(runtime: Runtime, wanted: ProposalFilter) -> Listing[ProposalRecord]:
    """Returns one page of the proposals, newest first."""
    with runtime.transaction() as tx:
        page = store.list_proposals(tx, wanted)
        approvals = store.approvals_of(tx, [proposal.id for proposal in page.items])
        return page.of([ProposalRecord(each, approvals[each.id]) for each in page.items])


def get_proposal(runtime: Runtime, proposal_id: UUID) -> ProposalRecord:
    """Returns the proposal.

    Raises:
        NotFoundError: there is none with this id.
    """
    with runtime.transaction() as tx:
        found = store.find_proposal(tx, proposal_id)
        if found is None:
            raise NotFoundError("proposal_unknown", "there is no proposal with this id")
        return ProposalRecord(found, store.approvals_of(tx, [found.id])[found.id])
