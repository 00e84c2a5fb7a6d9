"""Connections: one account of a client at one partner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk, SigningMethod
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.liquidity import ConnectionMovableFunds
from clearwindow.client.answers.loss_limits import ConnectionLossLimits
from clearwindow.client.answers.network import Connection
from clearwindow.client.calls import value_of, values_of
from clearwindow.client.filters import ClientConnectionFilters, PartnerConnectionFilters
from clearwindow.client.requests import ConnectionKey, WantedLossLimits
from clearwindow.client.text import Id, fields
from clearwindow.signing.models import Operation


class AsyncClientConnections:
    """The client's own connections."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ClientConnectionFilters]) -> AsyncPages[Connection]:
        return self._desk.pages(self._desk.path("/clients/connections"), "connections", Connection, filters)

    async def get(self, connection_id: Id) -> Connection:
        path = self._desk.path("/clients/connections/{}", connection_id)
        return await self._desk.get(path, value_of(Connection, "connection"))

    async def create(
        self, *, partner_id: Id, name: str, connection_key: ConnectionKey, nonce: str | None = None
    ) -> Connection:
        """Connects to a partner, with the key that the partner gave the client.

        Raises:
            UnprocessableError: the partner refuses the connection, or one with this name exists.
        """
        asked = _fields(partner_id, name, connection_key, self._desk.nonce(nonce))
        path = self._desk.path("/clients/connections")
        read = value_of(Connection, "connection")
        return await self._desk.signed("POST", path, read, asked, Operation.CONNECTION_CREATE)

    async def update(
        self, connection_id: Id, *, active: bool | None = None, name: str | None = None, sign: bool = False
    ) -> Connection:
        """Renames, stops or starts a connection. A stopped one takes no allocations but still deallocates.

        Signed if ``sign`` says so, or if the account requires it and the client has a signer.
        """
        return await self._desk.change(
            "PUT",
            self._desk.path("/clients/connections/{}", connection_id),
            value_of(Connection, "connection"),
            fields(active=active, name=name),
            Operation.CONNECTION_UPDATE,
            sign=sign,
            repeatable=(True, True),
            connectionId=connection_id,
        )

    async def loss_limits(self, connection_id: Id) -> ConnectionLossLimits:
        """Returns what a settlement, and all settlements of a UTC day, may take. The partner never sees it."""
        path = self._desk.path("/clients/connections/{}/loss-limits", connection_id)
        return await self._desk.get(path, value_of(ConnectionLossLimits))

    async def movable_funds(self, connection_id: Id) -> tuple[ConnectionMovableFunds, ...]:
        """Returns by currency how much can be allocated and taken back now, and why not more."""
        path = self._desk.path("/clients/connections/{}/movable-funds", connection_id)
        return await self._desk.get(path, values_of(ConnectionMovableFunds, "movableFunds"))

    async def change_loss_limits(
        self, connection_id: Id, loss_limits: Mapping[str, WantedLossLimits], *, sign: bool = False
    ) -> ConnectionLossLimits:
        """Sets the limits of these currencies, in base units. Those of other currencies stay.

        A lower limit applies at once. A higher one, or None for no limit, applies after 24 hours. Signed as in
        `update`.
        """
        path = self._desk.path("/clients/connections/{}/loss-limits", connection_id)
        asked = {"lossLimits": {currency: wanted.wire() for currency, wanted in loss_limits.items()}}
        return await self._desk.change(
            "PUT",
            path,
            value_of(ConnectionLossLimits),
            asked,
            Operation.LOSS_LIMITS_CHANGE,
            sign=sign,
            repeatable=(True, True),
            connectionId=connection_id,
        )

    async def payload(
        self,
        *,
        partner_id: Id,
        name: str,
        connection_key: ConnectionKey,
        nonce: str | None = None,
        method: SigningMethod = "POST",
    ) -> str:
        """Returns the exact text to sign for a new connection. The server writes it; `create` does not need it."""
        asked = _fields(partner_id, name, connection_key, self._desk.nonce(nonce))
        return await self._desk.payload(method, self._desk.path("/clients/connections/signing"), asked)


class AsyncPartnerConnections:
    """The connections of all clients at the partner."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerConnectionFilters]) -> AsyncPages[Connection]:
        return self._desk.pages(self._desk.path("/partners/connections"), "connections", Connection, filters)

    async def get(self, connection_id: Id) -> Connection:
        path = self._desk.path("/partners/connections/{}", connection_id)
        return await self._desk.get(path, value_of(Connection, "connection"))


def _fields(partner_id: Id, name: str, connection_key: ConnectionKey, nonce: str) -> dict[str, object]:
    return fields(partner_id=partner_id, name=name, connection_key=connection_key.wire(), nonce=nonce)
