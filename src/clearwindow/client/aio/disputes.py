"""Disputes: raised and closed by a client, seen by the partner."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.disputes import ClientDisputeClosure, Dispute
from clearwindow.client.calls import value_of
from clearwindow.client.filters import DisputeFilters, PartnerDisputeFilters
from clearwindow.client.text import Amounts, Id, amounts_text, fields


class AsyncClientDisputes:
    """The client's objections. Amounts are base units: + the client receives, - it sends."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[DisputeFilters]) -> AsyncPages[Dispute]:
        return self._desk.pages(self._desk.path("/clients/settlement/disputes"), "disputes", Dispute, filters)

    async def create(
        self,
        settlement_id: Id,
        *,
        connection_id: Id,
        expected_transfers: Amounts,
        reason: str | None = None,
        nonce: str | None = None,
    ) -> Dispute:
        """Objects to a settlement on one connection, inside the dispute window.

        Args:
            settlement_id: which settlement.
            connection_id: which connection of the client's.
            expected_transfers: what the client holds to be right, per currency; empty: nothing should move.
            reason: why, in words.
            nonce: made here where it is not given.

        Raises:
            ConflictError: there is a dispute on this connection already.
            UnprocessableError: outside of the window.
        """
        asked = fields(
            connection_id=connection_id,
            reason=reason,
            expected_transfers=amounts_text(expected_transfers),
            nonce=self._desk.nonce(nonce),
        )
        path = self._desk.path("/clients/settlements/{}/disputes", settlement_id)
        return await self._desk.signed(
            "POST", path, value_of(Dispute, "dispute"), asked, settlementId=settlement_id
        )

    async def update(
        self,
        dispute_id: Id,
        *,
        connection_id: Id,
        retracted: bool,
        reason: str | None = None,
        expected_transfers: Amounts | None = None,
        nonce: str | None = None,
    ) -> Dispute:
        """Retracts a dispute, takes a retraction back, or changes what is expected; inside the window only."""
        expected = None if expected_transfers is None else amounts_text(expected_transfers)
        asked = fields(
            connection_id=connection_id,
            retracted=retracted,
            reason=reason,
            expected_transfers=expected,
            nonce=self._desk.nonce(nonce),
        )
        path = self._desk.path("/clients/settlements/disputes/{}", dispute_id)
        return await self._desk.signed("PUT", path, value_of(Dispute, "dispute"), asked, disputeId=dispute_id)

    async def close(self, dispute_id: Id, *, notes: str, nonce: str | None = None) -> ClientDisputeClosure:
        """Gives up a dispute after the window: the original transfers stand, once an operator approves."""
        path = self._desk.path("/clients/settlements/disputes/{}/close", dispute_id)
        asked = fields(notes=notes, nonce=self._desk.nonce(nonce))
        read = value_of(ClientDisputeClosure, "disputeClosure")
        return await self._desk.signed("POST", path, read, asked, disputeId=dispute_id)


class AsyncPartnerDisputes:
    """The disputes of all clients with the partner's settlements."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerDisputeFilters]) -> AsyncPages[Dispute]:
        return self._desk.pages(self._desk.path("/partners/settlement/disputes"), "disputes", Dispute, filters)
