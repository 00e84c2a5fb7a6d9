# Made from ../aio by `make sdk`: change it there.
"""What operators propose to one another."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.proposals import CollectedValue, OperatorProposal
from clearwindow.client.calls import value_of
from clearwindow.client.filters import ProposalFilters
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, fields


class OperatorProposals:
    """All proposals."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ProposalFilters]) -> Pages[OperatorProposal]:
        return self._desk.pages("/proposals", "proposals", OperatorProposal, filters)

    def get(self, proposal_id: Id) -> OperatorProposal:
        path = self._desk.path("/proposals/{}", proposal_id)
        return self._desk.get(path, value_of(OperatorProposal, "proposal"))

    def approve(self, proposal_id: Id) -> OperatorProposal:
        """Approves it. The last approval that it needs carries it out."""
        path = self._desk.path("/proposals/{}/approve", proposal_id)
        return self._desk.send("POST", path, value_of(OperatorProposal, "proposal"), repeatable=True)

    def reject(self, proposal_id: Id, *, reason: str | None = None) -> OperatorProposal:
        """Ends it without carrying it out."""
        path = self._desk.path("/proposals/{}/reject", proposal_id)
        read = value_of(OperatorProposal, "proposal")
        return self._desk.send("POST", path, read, fields(reason=reason), repeatable=True)

    def withdraw(self, proposal_id: Id, *, reason: str | None = None) -> OperatorProposal:
        """Ends one's own proposal."""
        path = self._desk.path("/proposals/{}/withdraw", proposal_id)
        read = value_of(OperatorProposal, "proposal")
        return self._desk.send("POST", path, read, fields(reason=reason), repeatable=True)

    def collect(self, proposal_id: Id) -> CollectedValue:
        """Returns the token that one's own proposal has made.

        Not repeated after a lost answer: the server shows the value once.
        """
        path = self._desk.path("/proposals/{}/collect", proposal_id)
        return self._desk.send("POST", path, value_of(CollectedValue), repeatable=False)
