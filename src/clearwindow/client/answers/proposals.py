"""What one operator has asked for and others must approve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import OpenText, Value
from clearwindow.client.calls import Answer
from clearwindow.client.errors import ClearwindowError

T = TypeVar("T")
V = TypeVar("V", bound=Value)
ProposalStatus = Annotated[Literal["pending", "carried_out", "rejected", "withdrawn", "expired"], OpenText]

_PROPOSED: Final = 202


class ProposalApproval(Value):
    """One operator's approval. ``counts`` is false once the operator may not approve any more."""

    operator_id: str
    approved_at: AwareDatetime
    counts: bool


class OperatorProposal(Value):
    """It is carried out once enough other operators approve it.

    Attributes:
        act: what is proposed, such as ``withdrawal.make``.
        subject_id: what it changes.
        proposed_by: the operator, who cannot approve it.
        request: what was asked for, as on the wire. Only a proposal that was read has it, and all that follows.
        target: what its proposer saw. If any of it has changed, it is not carried out.
        result: the answer of the act, without a token's value.
        collectable: whether a token's value waits for its proposer.
        collectable_until: when the value is destroyed and the token revoked, if it still waits then.
    """

    id: str
    act: str
    subject_id: str
    status: ProposalStatus
    summary: str
    proposed_by: str
    approvals_needed: int
    created_at: AwareDatetime
    expires_at: AwareDatetime
    enterprise_id: str | None = None
    request: Mapping[str, Any] = Field(default_factory=dict)
    target: Mapping[str, str | None] = Field(default_factory=dict)
    approvals: tuple[ProposalApproval, ...] = ()
    ended_at: AwareDatetime | None = None
    ended_by: str | None = None
    reason: str | None = None
    result: Mapping[str, Any] | None = None
    collectable: bool = False
    collectable_until: AwareDatetime | None = None
    collected_at: AwareDatetime | None = None


class CollectedValue(Value):
    """A proposal and the token that it has made, which the server does not show again."""

    proposal: OperatorProposal
    value: str = Field(repr=False)


class WaitsForApprovalError(ClearwindowError):
    """Nothing was done yet: other operators must approve it first.

    Attributes:
        proposal: what they approve.
    """

    def __init__(self, proposal: OperatorProposal) -> None:
        super().__init__(f"other operators must approve it first: {proposal.summary} (proposal {proposal.id})")
        self.proposal = proposal


def carried_out(read: Callable[[Answer], T]) -> Callable[[Answer], T]:
    """Returns a reader of what was done, which raises if it was only proposed."""

    def read_done(answer: Answer) -> T:
        if answer.status == _PROPOSED and isinstance(answer.body, dict) and "proposal" in answer.body:
            raise WaitsForApprovalError(OperatorProposal.read(answer.body["proposal"], answer.meta))
        return read(answer)

    return read_done


def value_or_proposal(model: type[V], name: str) -> Callable[[Answer], V | OperatorProposal]:
    """Returns a reader of the field ``name``, or of a proposal if the act waits for another operator."""

    def read(answer: Answer) -> V | OperatorProposal:
        if "proposal" in answer.body:
            return OperatorProposal.read(answer.body["proposal"], answer.meta)
        return model.read(answer.body[name], answer.meta)

    return read
