"""Allocations and deallocations, by the client and by the partner."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk, SigningMethod
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.allocations import (
    Allocation,
    AllocationUpdate,
    DeallocationUpdate,
    PartnerAllocation,
)
from clearwindow.client.calls import value_of
from clearwindow.client.filters import ClientAllocationFilters, PartnerAllocationFilters
from clearwindow.client.requests import PartnersWord
from clearwindow.client.text import Id, Quantity, fields, quantity_text
from clearwindow.signing.models import Operation


class AsyncClientAllocations:
    """Moves funds to a partner and back. Amounts are base units under the network's names."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ClientAllocationFilters]) -> AsyncPages[Allocation]:
        """Lists the client's allocations and deallocations."""
        return self._desk.pages(self._desk.path("/clients/allocations"), "allocations", Allocation, filters)

    async def get(self, allocation_id: Id) -> Allocation:
        """Returns one allocation or deallocation."""
        path = self._desk.path("/clients/allocations/{}", allocation_id)
        return await self._desk.get(path, value_of(Allocation, "allocation"))

    async def allocate(
        self,
        connection_id: Id,
        *,
        currency: str,
        quantity: Quantity,
        client_external_id: str,
        notes: str | None = None,
        nonce: str | None = None,
    ) -> Allocation:
        """Moves funds from the Go Account to the connection.

        Args:
            connection_id: of the connection.
            currency: such as ``ofcbtc``.
            quantity: in base units, above 0.
            client_external_id: the caller's own key. The same request again returns the same allocation.
            notes: any text.
            nonce: a new one if omitted.

        Returns:
            The allocation: cleared, or reserved if the partner or a second person decides later.

        Raises:
            UnprocessableError: released; the record is its ``allocation``.
            ServerError: the partner gave no answer; its ``allocation`` is reserved. The same request continues it.
        """
        asked = _fields(currency, quantity, client_external_id, notes, self._desk.nonce(nonce))
        path = self._desk.path("/clients/connections/{}/allocations", connection_id)
        read = value_of(Allocation, "allocation")
        return await self._desk.signed(
            "POST", path, read, asked, Operation.ALLOCATION, amount_unit="base", connectionId=connection_id
        )

    async def deallocate(
        self,
        connection_id: Id,
        *,
        currency: str,
        quantity: Quantity,
        client_external_id: str,
        notes: str | None = None,
        nonce: str | None = None,
    ) -> Allocation:
        """Moves funds from the connection back to the Go Account. Arguments and errors are those of `allocate`."""
        asked = _fields(currency, quantity, client_external_id, notes, self._desk.nonce(nonce))
        path = self._desk.path("/clients/connections/{}/deallocations", connection_id)
        read = value_of(Allocation, "deallocation")
        return await self._desk.signed(
            "POST", path, read, asked, Operation.DEALLOCATION, amount_unit="base", connectionId=connection_id
        )

    async def allocation_payload(
        self,
        connection_id: Id,
        *,
        currency: str,
        quantity: Quantity,
        client_external_id: str,
        notes: str | None = None,
        nonce: str | None = None,
        method: SigningMethod = "POST",
    ) -> str:
        """Returns the exact text to sign for an allocation. The server writes it; `allocate` does not need it."""
        asked = _fields(currency, quantity, client_external_id, notes, self._desk.nonce(nonce))
        path = self._desk.path("/clients/connections/{}/allocations/signing", connection_id)
        return await self._desk.payload(method, path, asked)

    async def deallocation_payload(
        self,
        connection_id: Id,
        *,
        currency: str,
        quantity: Quantity,
        client_external_id: str,
        notes: str | None = None,
        nonce: str | None = None,
        method: SigningMethod = "POST",
    ) -> str:
        """Returns the exact text to sign for a deallocation."""
        asked = _fields(currency, quantity, client_external_id, notes, self._desk.nonce(nonce))
        path = self._desk.path("/clients/connections/{}/deallocations/signing", connection_id)
        return await self._desk.payload(method, path, asked)


class AsyncPartnerAllocations:
    """Allocations of clients to the partner, in its own names and unit."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerAllocationFilters]) -> AsyncPages[PartnerAllocation]:
        """Lists all allocations and deallocations at this partner."""
        return self._desk.pages(self._desk.path("/partners/allocations"), "allocations", PartnerAllocation, filters)

    async def get(self, allocation_id: Id) -> PartnerAllocation:
        """Returns one allocation or deallocation."""
        path = self._desk.path("/partners/allocations/{}", allocation_id)
        return await self._desk.get(path, value_of(PartnerAllocation, "allocation"))

    async def update_allocation(
        self, *, allocation_id: Id, partners_allocation_id: str, **word: Unpack[PartnersWord]
    ) -> AllocationUpdate:
        """Reports the outcome of an allocation that the partner left undecided at first.

        Raises:
            ConflictError: it has another outcome already.
        """
        ids = fields(allocation_id=allocation_id, partners_allocation_id=partners_allocation_id)
        path = self._desk.path("/partners/allocations")
        asked, read = ids | self._word(word), value_of(AllocationUpdate)
        return await self._desk.signed("PUT", path, read, asked, Operation.ALLOCATION_DECIDE)

    async def update_deallocation(
        self, *, deallocation_id: Id, partners_deallocation_id: str, **word: Unpack[PartnersWord]
    ) -> DeallocationUpdate:
        """Reports the outcome of a deallocation, as `update_allocation` does."""
        ids = fields(deallocation_id=deallocation_id, partners_deallocation_id=partners_deallocation_id)
        path = self._desk.path("/partners/deallocations")
        asked, read = ids | self._word(word), value_of(DeallocationUpdate)
        return await self._desk.signed("PUT", path, read, asked, Operation.DEALLOCATION_DECIDE)

    def _word(self, word: PartnersWord) -> dict[str, object]:
        amount = {"currency": word["currency"], "quantity": quantity_text(word["quantity"])}
        rest = {name: value for name, value in word.items() if name not in ("currency", "quantity", "nonce")}
        return fields(amount=amount, **rest, nonce=self._desk.nonce(word.get("nonce")))


def _fields(
    currency: str, quantity: Quantity, client_external_id: str, notes: str | None, nonce: str
) -> dict[str, object]:
    amount = {"currency": currency, "quantity": quantity_text(quantity)}
    return fields(amount=amount, client_external_id=client_external_id, notes=notes, nonce=nonce)
