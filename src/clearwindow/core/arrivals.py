"""How many requests of one kind of work are ahead of a newcomer. No I/O, no clock, one thread.

A request is let in before anything is known of it; its caller is known a little later, and its thread still later.
Whoever was let in and has no answer yet is ahead of a newcomer, but of one caller only as many as its share: the
others wait for their own caller, and leave the threads to the newcomer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Arrival:
    """A request that was let in.

    Attributes:
        holder: its caller, once it is known.
        counts: it is ahead of others. A request whose body is still on its way is not.
    """

    holder: str | None = None
    counts: bool = True


class Arrivals:
    """The requests that were let in for one kind of work and have no answer yet."""

    def __init__(self, size: int, share: int) -> None:
        """Makes the count.

        Args:
            size: how many are worked on at once.
            share: how many of them one caller may have.
        """
        self._size = size
        self._share = share
        self._unknown = 0
        self._of_holder: Counter[str] = Counter()
        self._known = 0

    def enter(self) -> Arrival:
        """Lets a request in. It must leave."""
        self._unknown += 1
        return Arrival()

    def belongs_to(self, arrival: Arrival, holder: str) -> None:
        """Says whose request it is."""
        was_counted = arrival.counts
        self.step_aside(arrival)
        arrival.holder = holder
        if was_counted:
            self.step_in(arrival)

    def step_aside(self, arrival: Arrival) -> None:
        """The request waits for its own caller, and is ahead of nobody."""
        if not arrival.counts:
            return
        arrival.counts = False
        if arrival.holder is None:
            self._unknown -= 1
            return
        if self._of_holder[arrival.holder] <= self._share:
            self._known -= 1
        self._of_holder[arrival.holder] -= 1
        if self._of_holder[arrival.holder] == 0:
            del self._of_holder[arrival.holder]

    def step_in(self, arrival: Arrival) -> None:
        """The request is ahead of others again."""
        if arrival.counts:
            return
        arrival.counts = True
        if arrival.holder is None:
            self._unknown += 1
            return
        self._of_holder[arrival.holder] += 1
        if self._of_holder[arrival.holder] <= self._share:
            self._known += 1

    def leave(self, arrival: Arrival) -> None:
        """The request was answered. To leave twice changes nothing."""
        self.step_aside(arrival)

    def beyond_size(self) -> int:
        """Returns how many of those ahead of a newcomer are more than are worked on at once.

        Whose request it is, is soon known. Until then the flood of one caller looks like many callers, so that all
        of unknown callers count for no more than what is worked on at once.
        """
        return max(0, min(self._unknown, self._size) + self._known - self._size)
