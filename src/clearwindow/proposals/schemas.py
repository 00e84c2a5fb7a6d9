"""Proposals on the operator's wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from clearwindow.api.filters import CreatedPage, Many, Texts, Uuids
from clearwindow.api.schema import LongText, RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.identity.act_schemas import ProposedView
from clearwindow.proposals import rules
from clearwindow.proposals.models import ProposalFilter, ProposalRecord

Statuses: TypeAlias = Many[Literal["pending", "carried_out", "rejected", "withdrawn", "expired"]]


class EndRequest(RequestModel):
    reason: LongText | None = None


class ProposalFilters(CreatedPage):
    statuses: Statuses = None
    acts: Texts = None
    subject_ids: Texts = None
    enterprise_ids: Texts = None
    proposed_by: Uuids = None

    def to_model(self) -> ProposalFilter:
        return ProposalFilter(
            self.statuses,
            self.acts,
            self.subject_ids,
            self.enterprise_ids,
            self.proposed_by,
            self.created_on_or_after,
            self.created_before,
            self.slice,
        )


class ProposalApprovalView(WireModel):
    """``counts`` is false once the operator may not approve any more."""

    operator_id: str
    approved_at: str
    counts: bool


class ProposalView(ProposedView):
    """A proposal. ``target`` is what its proposer saw. ``collectable``: its value waits for its proposer."""

    enterprise_id: str | None = None
    request: dict[str, object]
    target: dict[str, str | None]
    approvals: list[ProposalApprovalView]
    ended_at: str | None = None
    ended_by: str | None = None
    reason: str | None = None
    result: dict[str, object] | None = None
    collectable: bool | None = None
    collectable_until: str | None = None
    collected_at: str | None = None


class ProposalAnswer(WireModel):
    proposal: ProposalView


class ProposalsAnswer(WireModel):
    proposals: list[ProposalView]


class CollectedAnswer(ProposalAnswer):
    """``value`` is shown only in this answer."""

    value: str


def proposal_answer(record: ProposalRecord) -> ProposalAnswer:
    return ProposalAnswer(proposal=_view(record))


def proposals_answer(records: Sequence[ProposalRecord]) -> ProposalsAnswer:
    return ProposalsAnswer(proposals=[_view(record) for record in records])


def collected_answer(record: ProposalRecord, value: str) -> CollectedAnswer:
    return CollectedAnswer(proposal=_view(record), value=value)


def _view(record: ProposalRecord) -> ProposalView:
    proposal = record.proposal
    approvals = [
        ProposalApprovalView(
            operator_id=str(each.operator_id), approved_at=wire_time(each.approved_at), counts=each.counts
        )
        for each in record.approvals
    ]
    fields = present(
        id=str(proposal.id),
        act=proposal.act,
        subject_id=proposal.subject_id,
        enterprise_id=proposal.enterprise_id,
        status=str(proposal.status),
        summary=proposal.summary,
        request=proposal.request,
        target=proposal.target,
        proposed_by=str(proposal.proposed_by),
        approvals_needed=proposal.approvals_needed,
        approvals=approvals,
        created_at=wire_time(proposal.created_at),
        expires_at=wire_time(proposal.expires_at),
        ended_at=wire_time(proposal.ended_at) if proposal.ended_at else None,
        ended_by=str(proposal.ended_by) if proposal.ended_by else None,
        reason=proposal.reason,
        result=proposal.result,
        collectable=True if proposal.sealed_value is not None else None,
        collectable_until=_moment(rules.collectable_until(proposal)),
        collected_at=wire_time(proposal.collected_at) if proposal.collected_at else None,
    )
    return ProposalView.model_validate(fields)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)
