"""For whom the code that runs now works, and what it does with the database.

The edge says it for a request, and threads that work for the request inherit it. What has no request, such as a
worker or a command, works in the background.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

READING_METHODS: Final = frozenset({"GET", "HEAD"})
"""The HTTP methods that change nothing. They need fewer scopes, and use connections that are for reading."""


class Purpose(StrEnum):
    """What a transaction is for. Each purpose has a part of the database's connections."""

    READING = "reading"
    WRITING = "writing"
    BACKGROUND = "background"
    PROBING = "probing"


class Work(StrEnum):
    """The kind of work that a request does in its thread."""

    ORDINARY = "ordinary"
    """Guards, reads and small bodies: nothing that waits for a lock or for another server."""
    WRITING = "writing"
    WAITS_FOR_PARTNER = "waits_for_partner"
    SETTLEMENT = "settlement"
    """Settlements and the texts to sign for them, with a body of an ordinary size."""
    LARGE_BODY = "large_body"
    """Bodies that take seconds, such as a settlement of many transfers."""


_SIZES: Final[Mapping[Work, int]] = {
    Work.ORDINARY: 40,
    Work.WRITING: 20,
    Work.WAITS_FOR_PARTNER: 40,
    Work.SETTLEMENT: 4,
    Work.LARGE_BODY: 4,
}


@dataclass(frozen=True, slots=True)
class CapacityTerms:
    """How many threads each kind of work has, and how long a request waits for one. All are settings.

    Attributes:
        threads: for each kind of work.
        large_bodies: how many large bodies are in memory at once, from their reading to the answer.
        share: what part of each one caller may have.
        wait_seconds: how long a request waits while all threads of its kind are taken.
        line_seconds: a request that would wait longer than this behind others is refused at once.
        requests_at_once: how many requests of one caller are worked on at once. 0 means no limit.
        own_wait_seconds: how long a request waits while its caller has all that it may have.
    """

    threads: Mapping[Work, int] = field(default_factory=lambda: _SIZES)
    large_bodies: int = 4
    share: float = 0.25
    wait_seconds: float = 0.8
    line_seconds: float = 0.03
    requests_at_once: int = 0
    own_wait_seconds: float = 10


@dataclass(slots=True)
class Working:
    """Who works, and for what purpose. ``holder`` is None for what counts for nobody."""

    purpose: Purpose
    holder: str | None


_BACKGROUND: Final = Working(Purpose.BACKGROUND, None)
_working: Final[ContextVar[Working]] = ContextVar("clearwindow_working", default=_BACKGROUND)


def working() -> Working:
    """Returns for whom and for what the calling code works."""
    return _working.get()


@contextmanager
def working_for(holder: str | None, purpose: Purpose) -> Iterator[None]:
    """Says for whom the block works, and for what."""
    token = _working.set(Working(purpose, holder))
    try:
        yield
    finally:
        _working.reset(token)
