"""How the connections of the pool are divided, and how long and by how many locks are waited for. Decision 12.

Reading never waits for the lock of a row. Writing and work in the background may, and hold a connection while they
do. So these two get a part of the pool each, and what is left always serves those who read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clearwindow.core.places import Places, share_of
from clearwindow.core.work import Purpose

SHARE: Final = 0.25
LOCK_WAIT_SECONDS: Final = 10.0
"""How long a request waits for a lock."""
BACKGROUND_LOCK_WAIT_SECONDS: Final = 60.0
"""How long a worker or a command waits for one: longer than a request, whose deadline is only the caller's."""
MIN_CONNECTIONS: Final = 4
"""One to read, one to write, one for the background, one to look whether the server is ready."""
_OTHERS_AT_LEAST: Final = 2
_PROBING_PART: Final = 10
_BACKGROUND_PART: Final = 4
_LOCK_WAITS_PART: Final = 4


@dataclass(frozen=True, slots=True)
class LockWaits:
    """How long a lock is waited for, in seconds."""

    request_seconds: float = LOCK_WAIT_SECONDS
    background_seconds: float = BACKGROUND_LOCK_WAIT_SECONDS

    def seconds(self, purpose: Purpose) -> float:
        return self.background_seconds if purpose is Purpose.BACKGROUND else self.request_seconds


@dataclass(frozen=True, slots=True)
class Budget:
    """How many connections each purpose may have at once, and how many of them may wait for locks.

    Attributes:
        connections: of the pool, in all.
        writing: for requests that may change something.
        background: for workers and commands.
        lock_waits: how many connections of requests may wait for locks for more than an instant.
        share: what part of each one enterprise may have.
    """

    connections: int
    writing: int
    background: int
    lock_waits: int
    share: float = SHARE

    def __post_init__(self) -> None:
        if self.reserved_for_reading < 1:
            raise ValueError(
                f"{self.writing} connections to write, {self.background} for the background and {self.probing} for"
                f" readiness leave none of {self.connections} to read"
            )
        if self.lock_waits > self.writing:
            raise ValueError(
                f"{self.lock_waits} connections that wait for locks are more than the {self.writing} that write"
            )

    @property
    def probing(self) -> int:
        """How many connections the looks at readiness and metrics have for themselves."""
        return max(1, self.connections // _PROBING_PART)

    @property
    def reserved_for_reading(self) -> int:
        """How many connections nobody but those who read ever has."""
        return self.connections - self.writing - self.background - self.probing

    @property
    def reading(self) -> int:
        """How many connections those who read may have: some are kept from them, too."""
        kept = self.probing + max(_OTHERS_AT_LEAST, self.background // 2)
        return max(self.reserved_for_reading, self.connections - kept)

    @property
    def background_lock_waits(self) -> int:
        """How many connections of the background may wait for locks for more than an instant."""
        return max(1, self.background // 2)

    def places(self) -> Mapping[Purpose, Places]:
        """Returns the places of each purpose. Workers and probes are nobody's, so that they have no share."""
        return {
            Purpose.READING: Places(self.reading, share_of(self.reading, self.share)),
            Purpose.WRITING: Places(self.writing, share_of(self.writing, self.share)),
            Purpose.BACKGROUND: Places(self.background),
            Purpose.PROBING: Places(self.probing),
        }

    def lock_wait_places(self) -> Mapping[Purpose, Places]:
        """Returns the places of those that wait for locks. All requests have the same."""
        requests = Places(self.lock_waits, share_of(self.lock_waits, self.share))
        background = Places(self.background_lock_waits)
        return {
            Purpose.READING: requests,
            Purpose.WRITING: requests,
            Purpose.BACKGROUND: background,
            Purpose.PROBING: background,
        }


def divided(
    connections: int, *, writing: int | None = None, lock_waits: int | None = None, share: float = SHARE
) -> Budget:
    """Returns a budget of so many connections, with what is not given chosen for them.

    Raises:
        ValueError: the numbers contradict each other.
    """
    if connections < MIN_CONNECTIONS:
        raise ValueError(f"{connections} connections are too few for a server: it needs at least {MIN_CONNECTIONS}")
    background = max(1, connections // _BACKGROUND_PART)
    default_writing = max(1, connections // 2 - 1)
    chosen = default_writing if writing is None else writing
    waits = min(chosen, max(1, connections // _LOCK_WAITS_PART)) if lock_waits is None else lock_waits
    return Budget(connections, chosen, background, waits, share)
