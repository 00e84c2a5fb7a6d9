"""Calls to partners' own endpoints: outstanding calls, the answers, and the signing keys."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.partner_calls import PartnerCall, PartnerCallKey, PartnerEndpoint
from clearwindow.client.calls import value_of, values_of
from clearwindow.client.filters import PageFilters, PartnerCallFilters
from clearwindow.client.text import fields


class AsyncOperatorPartnerCalls:
    """All calls to all partners."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerCallFilters]) -> AsyncPages[PartnerCall]:
        """Lists the calls, newest first; ``owed=True`` lists those without an answer."""
        return self._desk.pages("/partner-calls", "partnerCalls", PartnerCall, filters)

    def endpoints(self, **filters: Unpack[PageFilters]) -> AsyncPages[PartnerEndpoint]:
        """Lists how partners' endpoints answer; those with most outstanding calls come first."""
        return self._desk.pages("/partner-endpoints", "partnerEndpoints", PartnerEndpoint, filters)

    async def keys(self) -> tuple[PartnerCallKey, ...]:
        """Returns the present and former signing keys, newest first; this list has no pages."""
        path = self._desk.path("/partner-call-keys")
        return await self._desk.get(path, values_of(PartnerCallKey, "partnerCallKeys"))

    async def rotate_key(self, *, reference: str) -> PartnerCallKey:
        """Makes a key that signs in a few minutes, when partners know it. The same reference gives the same key."""
        path, read = self._desk.path("/partner-call-keys"), value_of(PartnerCallKey, "partnerCallKey")
        return await self._desk.send("POST", path, read, fields(reference=reference), repeatable=True)
