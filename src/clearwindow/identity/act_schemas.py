"""Proposals as the routes answer them that may have to propose. Protocol §12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from clearwindow.api.routing import Answer
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.identity.acts import Proposal

T = TypeVar("T")


class ProposedView(WireModel):
    """What waits for other operators. ``GET /proposals/{id}`` shows all of it."""

    id: str
    act: str
    subject_id: str
    status: str
    summary: str
    proposed_by: str
    approvals_needed: int
    created_at: str
    expires_at: str


class ProposedAnswer(WireModel):
    proposal: ProposedView


PROPOSED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": ProposedAnswer}}
"""The ``responses`` of a route whose act may have to be proposed."""


def answered(done: T | Proposal, view: Callable[[T], Answer[Any] | BaseModel]) -> Answer[Any]:
    """Returns the answer of an act that was carried out, or 202 with its proposal."""
    if isinstance(done, Proposal):
        return Answer(proposed_answer(done), 202)
    answer = view(done)
    return answer if isinstance(answer, Answer) else Answer(answer)


def proposed_answer(proposal: Proposal) -> ProposedAnswer:
    view = ProposedView(
        id=str(proposal.id),
        act=proposal.act,
        subject_id=proposal.subject_id,
        status=proposal.status,
        summary=proposal.summary,
        proposed_by=str(proposal.proposed_by),
        approvals_needed=proposal.approvals_needed,
        created_at=wire_time(proposal.created_at),
        expires_at=wire_time(proposal.expires_at),
    )
    return ProposedAnswer(proposal=view)
