"""Disputes: raised and closed by a client, seen by the partner."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.disputes import ClientDisputeClosure, Dispute
from clearwindow.client.calls import value_of
from clearwindow.client.filters import DisputeFilters, PartnerDisputeFilters
from clearwindow.client.text import Amounts, Id, amounts_text, fields
from clearwindow.signing.models import Operation


class AsyncClientDisputes:
    """The client's disputes. Amounts are base units: + the client receives, - it sends."""

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
        """Disputes a settlement on one connection, inside the dispute window.

        Args:
            settlement_id: of the settlement.
            connection_id: of the client's connection.
            expected_transfers: the amounts that the client expects, per currency; empty if nothing should move.
            reason: of the dispute, in words.
            nonce: a new one if omitted.

        Raises:
            ConflictError: there is a dispute on this connection already.
            UnprocessableError: the dispute window is not open.
        """
        asked = fields(
            connection_id=connection_id,
            reason=reason,
            expected_transfers=amounts_text(expected_transfers),
            nonce=self._desk.nonce(nonce),
        )
        path = self._desk.path("/clients/settlements/{}/disputes", settlement_id)
        operation, read = Operation.DISPUTE_RAISE, value_of(Dispute, "dispute")
        return await self._desk.signed(
            "POST", path, read, asked, operation, amount_unit="base", settlementId=settlement_id
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
        """Retracts a dispute, withdraws a retraction, or changes the expected transfers. Only inside the window."""
        expected = None if expected_transfers is None else amounts_text(expected_transfers)
        asked = fields(
            connection_id=connection_id,
            retracted=retracted,
            reason=reason,
            expected_transfers=expected,
            nonce=self._desk.nonce(nonce),
        )
        path = self._desk.path("/clients/settlements/disputes/{}", dispute_id)
        operation, read = Operation.DISPUTE_UPDATE, value_of(Dispute, "dispute")
        return await self._desk.signed(
            "PUT", path, read, asked, operation, amount_unit="base", disputeId=dispute_id
        )

    async def close(self, dispute_id: Id, *, notes: str, nonce: str | None = None) -> ClientDisputeClosure:
        """Closes the client's dispute after the window. If an operator approves, the original transfers stand."""
        path = self._desk.path("/clients/settlements/disputes/{}/close", dispute_id)
        asked = fields(notes=notes, nonce=self._desk.nonce(nonce))
        read = value_of(ClientDisputeClosure, "disputeClosure")
        return await self._desk.signed("POST", path, read, asked, Operation.DISPUTE_CLOSE, disputeId=dispute_id)


class AsyncPartnerDisputes:
    """All disputes about the partner's settlements."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerDisputeFilters]) -> AsyncPages[Dispute]:
        return self._desk.pages(self._desk.path("/partners/settlement/disputes"), "disputes", Dispute, filters)
