"""What an attack did, what was measured beside it, and how that compares with the aims. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MEBIBYTE: Final = 1024 * 1024
CUT_BYTES: Final = MEBIBYTE
CUT_SECONDS: Final = 30.0
MEMORY_BYTES: Final = 100 * MEBIBYTE
STRANGER_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 0.5

_TOLERANCE_SECONDS: Final = 5.0
"""A server that ends a connection after 30 s of its own clock is seen to do so a little later."""

Answers: TypeAlias = Counter[str]
"""How often each status came; ``none`` is a connection that ended without one."""


@dataclass(frozen=True, slots=True)
class Held:
    """One connection that never finished its request: bytes that it got rid of, and when it was ended."""

    sent_bytes: int
    seconds: float
    ended: bool
    status: str


@dataclass(slots=True)
class Taken:
    """What an attack got the server to take."""

    held: list[Held] = field(default_factory=list)
    answers: Answers = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    """What must hold besides the aims and did not, in words."""
    notes: list[str] = field(default_factory=list)

    def add(self, held: Held) -> None:
        self.held.append(held)
        self.answers[held.status] += 1

    @property
    def open_at_the_end(self) -> int:
        return sum(not held.ended for held in self.held)

    @property
    def longest(self) -> Held | None:
        return max(self.held, key=lambda held: held.seconds, default=None)

    @property
    def most_bytes(self) -> int:
        return max((held.sent_bytes for held in self.held), default=0)

    @property
    def cut_off(self) -> bool | None:
        """Whether every connection was ended within 1 MB or 30 s; None if the attack holds none."""
        if not self.held:
            return None
        return all(
            held.ended and (held.sent_bytes <= CUT_BYTES or held.seconds <= CUT_SECONDS + _TOLERANCE_SECONDS)
            for held in self.held
        )


@dataclass(frozen=True, slots=True)
class Times:
    """Times of one kind of probe, in seconds. ``failed``: probes with another answer than 200, or none."""

    probes: int
    worst: float
    p99: float
    failed: Answers

    @classmethod
    def of(cls, seconds: Sequence[float], failed: Answers) -> Times:
        if not seconds:
            return cls(0, float("inf"), float("inf"), failed)
        ordered = sorted(seconds)
        return cls(len(ordered), ordered[-1], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], failed)

    def within(self, aim_seconds: float) -> bool:
        return self.probes > 0 and self.worst <= aim_seconds and not self.failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """One measured attack. Memory is growth over the moment before the attack, in bytes."""

    name: str
    what: str
    taken: Taken
    server_bytes: int
    database_bytes: int
    health: Times
    stranger: Times
    attack_seconds: float
    normal_after_seconds: float | None
    """None: not within the time that was waited for it."""

    def judged(self) -> dict[str, bool]:
        """Returns which aims are met; an aim that does not apply is not there."""
        judged = {
            "memory": self.server_bytes <= MEMORY_BYTES,
            "stranger": self.stranger.within(STRANGER_SECONDS),
            "health": self.health.within(HEALTH_SECONDS),
            "normal again": self.normal_after_seconds is not None,
        }
        if self.taken.cut_off is not None:
            judged = {"cut off": self.taken.cut_off} | judged
        return judged | dict.fromkeys(self.taken.broken, False)

    @property
    def met(self) -> bool:
        return all(self.judged().values())
