# Made from ../aio by `make sdk`: change it there.
"""Calls to partners' own endpoints: outstanding calls, the answers, and the signing keys."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.partner_calls import PartnerCall, PartnerCallKey, PartnerEndpoint
from clearwindow.client.calls import value_of, values_of
from clearwindow.client.filters import PageFilters, PartnerCallFilters
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import fields


class OperatorPartnerCalls:
    """All calls to all partners."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[PartnerCallFilters]) -> Pages[PartnerCall]:
        """Lists the calls, newest first; ``owed=True`` lists those without an answer."""
        return self._desk.pages("/partner-calls", "partnerCalls", PartnerCall, filters)

    def endpoints(self, **filters: Unpack[PageFilters]) -> Pages[PartnerEndpoint]:
        """Lists how partners' endpoints answer; those with most outstanding calls come first."""
        return self._desk.pages("/partner-endpoints", "partnerEndpoints", PartnerEndpoint, filters)

    def keys(self) -> tuple[PartnerCallKey, ...]:
        """Returns the present and former signing keys, newest first; this list has no pages."""
        path = self._desk.path("/partner-call-keys")
        return self._desk.get(path, values_of(PartnerCallKey, "partnerCallKeys"))

    def rotate_key(self, *, reference: str) -> PartnerCallKey:
        """Makes a key that signs in a few minutes, when partners know it. The same reference gives the same key."""
        path, read = self._desk.path("/partner-call-keys"), value_of(PartnerCallKey, "partnerCallKey")
        return self._desk.send("POST", path, read, fields(reference=reference), repeatable=True)
