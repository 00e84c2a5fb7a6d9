# Made from ../aio by `make sdk`: change it there.
"""What the enterprise has signed, for its own records and for whoever asks it for proof."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.signed_requests import FullSignedRequest, SignedRequest
from clearwindow.client.calls import value_of
from clearwindow.client.filters import OperatorSignedRequestFilters, SignedRequestFilters
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id


class SignedRequests:
    """All accepted signed requests of the enterprise."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[SignedRequestFilters]) -> Pages[SignedRequest]:
        """Lists them, newest first, without payloads."""
        return self._desk.pages(self._desk.path("/signed-requests"), "signedRequests", SignedRequest, filters)

    def get(self, signed_request_id: Id) -> FullSignedRequest:
        """Returns one with its payload, exactly as it was signed."""
        path = self._desk.path("/signed-requests/{}", signed_request_id)
        return self._desk.get(path, value_of(FullSignedRequest, "signedRequest"))


class OperatorSignedRequests:
    """All accepted signed requests of all enterprises."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorSignedRequestFilters]) -> Pages[SignedRequest]:
        """Lists them, newest first, without payloads."""
        return self._desk.pages("/signed-requests", "signedRequests", SignedRequest, filters)

    def get(self, signed_request_id: Id) -> FullSignedRequest:
        """Returns one with its payload, exactly as it was signed."""
        path = self._desk.path("/signed-requests/{}", signed_request_id)
        return self._desk.get(path, value_of(FullSignedRequest, "signedRequest"))
