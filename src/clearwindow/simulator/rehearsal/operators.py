"""What the two operators of a rehearsal do: they put disputed settlements right, and pay in what exchanges lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.client import ConflictError, Operator
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import OperatorSettlement
from clearwindow.sandbox.rehearsal.truth import Truth

_PAGE_SIZE: Final = 500
_STILL_OPEN: Final = frozenset({"dispute_window_open", "settlement_finalising"})
_CLOSED_ALREADY: Final = frozenset({"dispute_closed", "dispute_retracted"})


@dataclass(slots=True)
class Operators:
    """Ada closes, Ben reviews: nobody does both.

    Attributes:
        ada: closes disputes as the market says.
        ben: reviews every closure, also those that clients made.
        float_of: per exchange's partner id its Go Account, and what is paid in at once where it is short.
        closed: how many disputes Ada closed.
        reviewed: how many closures Ben approved.
        deposits: how many times money was paid in.
    """

    ada: Operator
    ben: Operator
    float_of: Mapping[str, tuple[str, Mapping[str, int]]]
    closed: int = field(default=0, init=False)
    reviewed: int = field(default=0, init=False)
    deposits: int = field(default=0, init=False)

    def settlements(self) -> list[OperatorSettlement]:
        """All there are."""
        return list(self.ada.settlements.list(page_size=_PAGE_SIZE))

    def disputes(self) -> list[Dispute]:
        """All there ever were."""
        return list(self.ada.disputes.list(page_size=_PAGE_SIZE))

    def work(self, truth: Truth, settlements: list[OperatorSettlement]) -> None:
        """Closes what can be closed, reviews what waits for it, pays in what is short."""
        for dispute in self.ada.disputes.list(closed=False, page_size=_PAGE_SIZE):
            if not dispute.retracted:
                self._close(truth, dispute)
        for closure in self.ben.dispute_closures.list(statuses=["pending_review"], page_size=_PAGE_SIZE):
            self.ben.dispute_closures.review(closure.id, decision="approved", notes="checked against the trades")
            self.reviewed += 1
        for settlement in settlements:
            if settlement.status == "failed":
                self._pay_in(settlement)

    def _close(self, truth: Truth, dispute: Dispute) -> None:
        """Closes a dispute of a wrong settlement; one of a right settlement is its trader's to give up."""
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        if entry not in truth.wrong:
            return
        try:
            self.ada.disputes.close(
                dispute.id, adjusted_transfers=truth.expected[entry], notes="settled as it was traded"
            )
        except ConflictError as error:
            if error.name not in _STILL_OPEN | _CLOSED_ALREADY:
                raise
        else:
            self.closed += 1

    def _pay_in(self, settlement: OperatorSettlement) -> None:
        account_id, amounts = self.float_of[settlement.partner_id]
        for currency, quantity in amounts.items():
            self.deposits += 1
            self.ada.go_accounts.deposit(
                account_id, currency=currency, quantity=quantity, reference=f"rehearsal {self.deposits}"
            )
