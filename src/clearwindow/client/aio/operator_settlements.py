"""Settlements, disputes and closures of all enterprises, as operators see them."""

from __future__ import annotations

from typing import Literal, Unpack

from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.disputes import Dispute, OperatorDisputeClosure
from clearwindow.client.answers.proposals import OperatorProposal, value_or_proposal
from clearwindow.client.answers.settlements import OperatorSettlement, OperatorSettlementDetail, SettlementTransfer
from clearwindow.client.answers.statements import NetOrder
from clearwindow.client.calls import value_of
from clearwindow.client.filters import (
    ClosureFilters,
    NetOrderFilters,
    OperatorDisputeFilters,
    OperatorSettlementFilters,
    TransferPageFilters,
    WholeSettlementFilters,
)
from clearwindow.client.text import Amounts, Id, amounts_text, fields, segment


class AsyncOperatorSettlements:
    """All settlements."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorSettlementFilters]) -> AsyncPages[OperatorSettlement]:
        return self._desk.pages("/settlements", "settlements", OperatorSettlement, filters)

    async def get(self, settlement_id: Id, **filters: Unpack[TransferPageFilters]) -> OperatorSettlementDetail:
        """Returns one settlement with its disputes and one page of its transfers."""
        path = self._desk.path("/settlements/{}", settlement_id)
        return await self._desk.get(path, value_of(OperatorSettlementDetail), filters)

    async def summary(self, settlement_id: Id) -> OperatorSettlement:
        """Returns the settlement alone: `get` without the transfers and disputes."""
        return (await self.get(settlement_id, page_size=1)).settlement

    def list_transfers(
        self, settlement_id: Id, **filters: Unpack[WholeSettlementFilters]
    ) -> AsyncPages[SettlementTransfer]:
        """Lists all transfers of a settlement, sorted by connection. It can be exported."""
        path = f"/settlements/{segment(settlement_id)}/transfers"
        return self._desk.pages(path, "settlementTransfers", SettlementTransfer, filters)

    def net_orders(self, settlement_id: Id, **filters: Unpack[NetOrderFilters]) -> AsyncPages[NetOrder]:
        """Lists who pays whom how much of what in a settlement."""
        path = f"/settlements/{segment(settlement_id)}/net-orders"
        return self._desk.pages(path, "netOrders", NetOrder, filters)

    async def retry(self, settlement_id: Id, *, reason: str | None = None) -> OperatorSettlement:
        """Retries a failed settlement at once.

        Not repeated after a lost answer: if the first request completed it, the second is a conflict.
        """
        path = self._desk.path("/settlements/{}/retry", settlement_id)
        read = value_of(OperatorSettlement, "settlement")
        return await self._desk.send("POST", path, read, fields(reason=reason), repeatable=False)

    async def reject(
        self, settlement_id: Id, *, reason: str | None = None, code: str | None = None
    ) -> OperatorSettlement | OperatorProposal:
        """Ends a settlement without executing it, with a code of the second factor if there is one.

        Returns a proposal if the settlement is disputed or carries closures: it is rejected once another operator
        makes the same call.
        """
        path = self._desk.path("/settlements/{}/reject", settlement_id)
        read = value_or_proposal(OperatorSettlement, "settlement")
        return await self._desk.send(
            "POST", path, read, fields(reason=reason), repeatable=code is None, reads_proposals=True, code=code
        )


class AsyncOperatorDisputes:
    """All disputes."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorDisputeFilters]) -> AsyncPages[Dispute]:
        return self._desk.pages("/disputes", "disputes", Dispute, filters)

    async def close(self, dispute_id: Id, *, adjusted_transfers: Amounts, notes: str) -> OperatorDisputeClosure:
        """Closes a dispute in favour of the client, after the window. Another operator reviews the closure.

        Args:
            dispute_id: of the dispute.
            adjusted_transfers: what moves instead, in base units: + the client receives; empty if nothing moves.
            notes: the reason.
        """
        path = self._desk.path("/disputes/{}/close", dispute_id)
        asked = fields(adjusted_transfers=amounts_text(adjusted_transfers), notes=notes)
        read = value_of(OperatorDisputeClosure, "disputeClosure")
        return await self._desk.send("POST", path, read, asked, repeatable=True)


class AsyncOperatorClosures:
    """All dispute closures."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ClosureFilters]) -> AsyncPages[OperatorDisputeClosure]:
        return self._desk.pages("/dispute-closures", "disputeClosures", OperatorDisputeClosure, filters)

    async def review(
        self,
        closure_id: Id,
        *,
        decision: Literal["approved", "rejected"],
        notes: str | None = None,
        code: str | None = None,
    ) -> OperatorDisputeClosure:
        """Approves or rejects a closure that another operator or the client made.

        Args:
            closure_id: of the closure.
            decision: of the operator.
            notes: the reason.
            code: of the operator's second factor, if it has one. Such a call is not repeated after a lost answer.
        """
        path = self._desk.path("/dispute-closures/{}/review", closure_id)
        read = value_of(OperatorDisputeClosure, "disputeClosure")
        asked = fields(decision=decision, notes=notes)
        return await self._desk.send("POST", path, read, asked, repeatable=code is None, code=code)

    async def cancel(
        self, closure_id: Id, *, reason: str | None = None, code: str | None = None
    ) -> OperatorDisputeClosure | OperatorProposal:
        """Ends the transfers of a closure in the settlement that has taken it and cannot carry it out.

        Returns a proposal first: the closure is cancelled once another operator makes the same call.
        """
        path = self._desk.path("/dispute-closures/{}/cancel", closure_id)
        read = value_or_proposal(OperatorDisputeClosure, "disputeClosure")
        return await self._desk.send(
            "POST", path, read, fields(reason=reason), repeatable=code is None, reads_proposals=True, code=code
        )
