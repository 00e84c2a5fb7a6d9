"""Requests and replies as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class NoAnswerError(Exception):
    """Nothing that counts as an answer came; the message says what came instead, and never a body.

    ``tried`` is False where nothing was sent for a reason of this process, which says nothing of the other side.
    """

    def __init__(self, message: str, *, tried: bool = True) -> None:
        super().__init__(message)
        self.tried = tried


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: its body is whole, and no larger than was allowed."""

    status: int
    body: bytes
    retry_after: str | None
    content_type: str = ""
