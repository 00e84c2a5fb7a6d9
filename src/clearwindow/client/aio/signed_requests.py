"""What the enterprise has signed, for its own records and for whoever asks it for proof."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.signed_requests import FullSignedRequest, SignedRequest
from clearwindow.client.calls import value_of
from clearwindow.client.filters import OperatorSignedRequestFilters, SignedRequestFilters
from clearwindow.client.text import Id


class AsyncSignedRequests:
    """All accepted signed requests of the enterprise."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[SignedRequestFilters]) -> AsyncPages[SignedRequest]:
        """Lists them, newest first, without payloads."""
        return self._desk.pages(self._desk.path("/signed-requests"), "signedRequests", SignedRequest, filters)

    async def get(self, signed_request_id: Id) -> FullSignedRequest:
        """Returns one with its payload, exactly as it was signed."""
        path = self._desk.path("/signed-requests/{}", signed_request_id)
        return await self._desk.get(path, value_of(FullSignedRequest, "signedRequest"))


class AsyncOperatorSignedRequests:
    """All accepted signed requests of all enterprises."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorSignedRequestFilters]) -> AsyncPages[SignedRequest]:
        """Lists them, newest first, without payloads."""
        return self._desk.pages("/signed-requests", "signedRequests", SignedRequest, filters)

    async def get(self, signed_request_id: Id) -> FullSignedRequest:
        """Returns one with its payload, exactly as it was signed."""
        path = self._desk.path("/signed-requests/{}", signed_request_id)
        return await self._desk.get(path, value_of(FullSignedRequest, "signedRequest"))
