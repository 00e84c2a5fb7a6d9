"""Places for one class of work: how many at once, how many for one holder, and who waits for one. No I/O, no clock.

Who works takes a place and gives it back. If there is none, it waits in line or goes away. Both bounds hold at any
moment: at most ``size`` places in all, and at most ``share`` for one holder.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final

WITHOUT_BOUND: Final = 2**31
_MAX_WAITING: Final = 1_000
"""How many tickets of one holder wait at the same time. More are refused at once."""


class Bound(StrEnum):
    """Which bound keeps a ticket from its place."""

    SIZE = "size"
    SHARE = "share"


class _State(StrEnum):
    WAITING = "waiting"
    HELD = "held"
    GONE = "gone"


def share_of(size: int, share: float) -> int:
    """Returns how many of ``size`` places one holder may have: the share rounded down, and at least one."""
    return max(1, int(size * Fraction(share).limit_denominator(1_000_000)))


def _nobody() -> None:
    """Nobody waits for this ticket."""


@dataclass(eq=False, slots=True)
class Ticket:
    """The right to a place, or a wait for one. ``wake`` is called once, when a waiting ticket gets its place."""

    holder: str | None
    wake: Callable[[], None] = _nobody
    state: _State = field(default=_State.WAITING)

    @property
    def held(self) -> bool:
        return self.state is _State.HELD

    @property
    def waits(self) -> bool:
        return self.state is _State.WAITING


@dataclass(frozen=True, slots=True)
class Use:
    """What a class of places is used for now, and how often it was refused since the process started."""

    size: int
    in_use: int
    waiting: int
    refused: int


class Places:
    """The places of one class of work. Any thread may call it.

    A ticket without a holder counts for the size only. Waiting tickets get their places in the order in which they
    came. A ticket that must wait for its holder's share lets others pass.
    """

    def __init__(self, size: int, share: int | None = None) -> None:
        """Makes the places.

        Args:
            size: how many there are.
            share: how many of them one holder may have; all of them if it is not given.
        """
        if size < 1:
            raise ValueError("there must be at least one place")
        self.size = size
        self.share = size if share is None else max(1, min(share, size))
        self._lock = threading.Lock()
        self._in_use = 0
        self._of_holder: Counter[str] = Counter()
        self._waiting_of_holder: Counter[str | None] = Counter()
        self._line: dict[Ticket, None] = {}
        self._refused = 0

    def try_enter(self, holder: str | None) -> Ticket | None:
        """Takes a place if there is one now. Returns None, and counts a refusal, if there is none."""
        with self._lock:
            ticket = Ticket(holder)
            if self._missing(holder) is None:
                self._take(ticket)
                return ticket
            self._refused += 1
            return None

    def enter(self, holder: str | None, wake: Callable[[], None]) -> Ticket:
        """Takes a place, or waits in line for one. The caller must give the ticket back with ``leave``.

        If too many tickets of the holder wait already, the ticket is gone at once and need not be given back.
        """
        with self._lock:
            ticket = Ticket(holder, wake)
            if self._missing(holder) is None:
                self._take(ticket)
            elif self._waiting_of_holder[holder] < _MAX_WAITING:
                self._line[ticket] = None
                self._waiting_of_holder[holder] += 1
            else:
                ticket.state = _State.GONE
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Gives the place back, or leaves the line. To leave twice changes nothing."""
        with self._lock:
            if ticket.state is _State.WAITING:
                self._out_of_line(ticket)
            elif ticket.state is _State.HELD:
                self._in_use -= 1
                if ticket.holder is not None:
                    self._of_holder[ticket.holder] -= 1
                    if self._of_holder[ticket.holder] == 0:
                        del self._of_holder[ticket.holder]
            ticket.state = _State.GONE
            granted = list(self._grant())
        for each in granted:
            each.wake()

    def refuse(self, ticket: Ticket) -> None:
        """Leaves the line without a place, and counts a refusal."""
        with self._lock:
            self._refused += 1
        self.leave(ticket)

    def waiting_for_others(self) -> int:
        """Returns how many wait because all places are taken, and not because of their own share."""
        with self._lock:
            if self._in_use < self.size:
                return 0
            return sum(self._missing(ticket.holder) is Bound.SIZE for ticket in self._line)

    def count_refusal(self) -> None:
        """Counts one that was refused before it took a ticket."""
        with self._lock:
            self._refused += 1

    def missing(self, holder: str | None) -> Bound | None:
        """Returns which bound keeps the holder from another place now, None if it could have one."""
        with self._lock:
            return self._missing(holder)

    def use(self) -> Use:
        with self._lock:
            return Use(self.size, self._in_use, len(self._line), self._refused)

    def _missing(self, holder: str | None) -> Bound | None:
        if holder is not None and self._of_holder[holder] >= self.share:
            return Bound.SHARE
        return Bound.SIZE if self._in_use >= self.size else None

    def _take(self, ticket: Ticket) -> None:
        ticket.state = _State.HELD
        self._in_use += 1
        if ticket.holder is not None:
            self._of_holder[ticket.holder] += 1

    def _grant(self) -> Iterable[Ticket]:
        for ticket in list(self._line):
            if self._in_use >= self.size:
                return
            if self._missing(ticket.holder) is None:
                self._out_of_line(ticket)
                self._take(ticket)
                yield ticket

    def _out_of_line(self, ticket: Ticket) -> None:
        del self._line[ticket]
        self._waiting_of_holder[ticket.holder] -= 1
        if self._waiting_of_holder[ticket.holder] == 0:
            del self._waiting_of_holder[ticket.holder]


def enter_and_wait(places: Places, holder: str | None, seconds: float, share_seconds: float) -> Ticket | None:
    """Takes a place and blocks the thread while there is none. Returns None if there was none in time.

    Args:
        places: of the class of work.
        holder: for whom.
        seconds: how long it waits while all places are taken.
        share_seconds: how long it waits while the holder itself has all that it may have.
    """
    free = threading.Event()
    ticket = places.enter(holder, free.set)
    if ticket.waits:
        free.wait(seconds)
    if ticket.waits and places.missing(holder) is Bound.SHARE:
        free.wait(max(0.0, share_seconds - seconds))
    if ticket.held:
        return ticket
    places.refuse(ticket)
    # It may have been granted between the last look and the refusal, which gave it back.
    return None
