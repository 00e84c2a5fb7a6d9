"""The work of the two operators: they close and review disputes, and deposit what exchanges lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.client import ConflictError, Operator
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import OperatorSettlement
from clearwindow.simulator.rehearsal.expected_settlements import ExpectedSettlements

_PAGE_SIZE: Final = 500
_STILL_OPEN: Final = frozenset({"dispute_window_open", "settlement_finalising"})
_CLOSED_ALREADY: Final = frozenset({"dispute_closed", "dispute_retracted"})


@dataclass(slots=True)
class Operators:
    """Ada closes disputes, Ben reviews the closures.

    Attributes:
        ada: closes disputes with the amounts of the market.
        ben: reviews every closure, including those of clients.
        exchange_funds: by partner id, the exchange's Go Account and the amounts to deposit if it is short.
        closed: how many disputes Ada closed.
        reviewed: how many closures Ben approved.
        deposits: how many deposits were made.
    """

    ada: Operator
    ben: Operator
    exchange_funds: Mapping[str, tuple[str, Mapping[str, int]]]
    closed: int = field(default=0, init=False)
    reviewed: int = field(default=0, init=False)
    deposits: int = field(default=0, init=False)

    def settlements(self) -> list[OperatorSettlement]:
        """Returns all settlements."""
        return list(self.ada.settlements.list(page_size=_PAGE_SIZE))

    def disputes(self) -> list[Dispute]:
        """Returns all disputes, ended ones too."""
        return list(self.ada.disputes.list(page_size=_PAGE_SIZE))

    def work(self, expected_settlements: ExpectedSettlements, settlements: list[OperatorSettlement]) -> None:
        """Closes disputes, reviews closures and deposits what exchanges lack."""
        for dispute in self.ada.disputes.list(closed=False, page_size=_PAGE_SIZE):
            if not dispute.retracted:
                self._close(expected_settlements, dispute)
        for closure in self.ben.dispute_closures.list(statuses=["pending_review"], page_size=_PAGE_SIZE):
            self.ben.dispute_closures.review(closure.id, decision="approved", notes="checked against the trades")
            self.reviewed += 1
        for settlement in settlements:
            if settlement.status == "failed":
                self._deposit(settlement)

    def _close(self, expected_settlements: ExpectedSettlements, dispute: Dispute) -> None:
        """Closes a dispute of wrong amounts. If the amounts are right, the trader itself closes its dispute."""
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        if entry not in expected_settlements.wrong:
            return
        try:
            self.ada.disputes.close(
                dispute.id,
                adjusted_transfers=expected_settlements.amounts[entry],
                notes="the amounts of the trades",
            )
        except ConflictError as error:
            if error.name not in _STILL_OPEN | _CLOSED_ALREADY:
                raise
        else:
            self.closed += 1

    def _deposit(self, settlement: OperatorSettlement) -> None:
        account_id, amounts = self.exchange_funds[settlement.partner_id]
        for currency, quantity in amounts.items():
            self.deposits += 1
            self.ada.go_accounts.deposit(
                account_id, currency=currency, quantity=quantity, reference=f"rehearsal {self.deposits}"
            )
