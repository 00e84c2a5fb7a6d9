"""Requests and replies as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class NoAnswerError(Exception):
    """Nothing that counts as an answer came; the message says what came instead, and never a body.

    ``sent`` is False where the other side cannot have seen anything of it.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


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
