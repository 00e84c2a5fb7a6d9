"""Requests and replies as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class NoAnswerError(Exception):
    """There was no valid answer. The message says what happened and never quotes a body.

    ``tried`` is False if this process sent nothing, which is no failure of the other side. ``cut_short`` is True if
    this process did not wait for as long as the other side may take: that is no failure of it either.
    """

    def __init__(self, message: str, *, tried: bool = True, cut_short: bool = False) -> None:
        super().__init__(message)
        self.tried = tried
        self.cut_short = cut_short


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply, within the size limit."""

    status: int
    body: bytes
    retry_after: str | None
    content_type: str = ""
