"""What one operator has asked for and another one must confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime

from clearwindow.client.answers.base import OpenText, Value
from clearwindow.client.calls import Answer

V = TypeVar("V", bound=Value)
ProposedAct = Annotated[Literal["settlement.reject", "dispute_closure.cancel"], OpenText]


class OperatorProposal(Value):
    """It is carried out once another operator sends the same request.

    Attributes:
        subject_id: the settlement or the dispute closure.
        proposed_by: the operator, who cannot confirm it.
    """

    id: str
    act: ProposedAct
    subject_id: str
    status: str
    summary: str
    proposed_by: str
    reason: str | None = None
    created_at: AwareDatetime
    expires_at: AwareDatetime


def value_or_proposal(model: type[V], name: str) -> Callable[[Answer], V | OperatorProposal]:
    """Returns a reader of the field ``name``, or of a proposal if the act waits for another operator."""

    def read(answer: Answer) -> V | OperatorProposal:
        if "proposal" in answer.body:
            return OperatorProposal.read(answer.body["proposal"], answer.meta)
        return model.read(answer.body[name], answer.meta)

    return read
