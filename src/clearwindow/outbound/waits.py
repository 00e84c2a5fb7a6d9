"""Bounds how many calls wait for partners that do not answer.

A call that has no answer after a moment, or that goes to a partner whose last call had none by then, is a long wait
and needs a place. There are places for half of the calls at once, and each partner has at most a share of them. So
the other half is free again within a moment, however many partners are silent. Protocol §2, decision 12.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from clearwindow.core.places import Places, Ticket, Use, share_of

PATIENCE_SECONDS: Final = 1.0
"""A partner that answers within this time is never a long wait."""
_MAX_SLOW: Final = 10_000


@dataclass(frozen=True, slots=True)
class WaitTerms:
    """How many calls may wait at once. All are settings.

    Attributes:
        at_once: how many calls clients wait for at the same time.
        share: what part of them may go to one partner.
        silent_share: what part of them, and of the calls of each kind of due work, may wait for long.
    """

    at_once: int = 20
    share: float = 0.25
    silent_share: float = 0.5


class Waits:
    """The calls of one kind that something waits for: a client, or a kind of due work. Any thread may call it."""

    def __init__(
        self,
        size: int,
        *,
        share: float,
        silent_share: float,
        calls_of_partner: int | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes the places.

        Args:
            size: how many calls of this kind may be under way at once.
            share: what part of them may go to one partner, and what part of the long waits.
            silent_share: what part of them may wait for long.
            calls_of_partner: how many may go to one partner, if that is not the share.
            patience_seconds: how long a wait is short.
            monotonic: the clock for that.
        """
        of_partner = share_of(size, share)
        self._calls = Places(size, calls_of_partner or of_partner)
        self._long = Places(share_of(size, silent_share), of_partner)
        self.patience_seconds = patience_seconds
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._slow: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def waiting(self, partner: str) -> Iterator[Wait | None]:
        """Holds a place for a call to the partner. Gives None if there is none: then it must not be made."""
        call = self._calls.try_enter(partner)
        wait = None if call is None else Wait(self, partner)
        if call is not None and wait is not None and self._is_slow(partner) and not wait.goes_on():
            self._calls.leave(call)
            wait = None
        if call is None or wait is None:
            yield None
            return
        try:
            yield wait
        finally:
            wait.end()
            self._calls.leave(call)

    def uses(self, name: str) -> dict[str, Use]:
        return {f"partner_calls_{name}": self._calls.use(), f"partner_waits_{name}": self._long.use()}

    def note(self, partner: str, *, slow: bool) -> None:
        """Notes whether the last call to the partner took long."""
        with self._lock:
            self._slow.pop(partner, None)
            if slow:
                self._slow[partner] = None
                while len(self._slow) > _MAX_SLOW:
                    self._slow.popitem(last=False)

    def take_long(self, partner: str) -> Ticket | None:
        return self._long.try_enter(partner)

    def leave_long(self, place: Ticket) -> None:
        self._long.leave(place)

    def _is_slow(self, partner: str) -> bool:
        with self._lock:
            return partner in self._slow


class Wait:
    """One wait for a partner: of all attempts of a call, and of the pauses between them."""

    def __init__(self, waits: Waits, partner: str) -> None:
        self._waits = waits
        self._partner = partner
        self._long: Ticket | None = None
        self._began = waits.monotonic()
        self._short_until = self._began + waits.patience_seconds

    def seconds(self) -> float:
        """Returns how long it has lasted."""
        return self._waits.monotonic() - self._began

    def short_seconds(self) -> float | None:
        """Returns for how long it is still a short wait, None if it may be long."""
        return None if self._long is not None else max(0.0, self._short_until - self._waits.monotonic())

    def goes_on(self) -> bool:
        """Makes it a long wait. Returns False if there is no place for one: then it must end now."""
        self._waits.note(self._partner, slow=True)
        if self._long is None:
            self._long = self._waits.take_long(self._partner)
        return self._long is not None

    def end(self) -> None:
        self._waits.note(self._partner, slow=self._waits.monotonic() >= self._short_until)
        if self._long is not None:
            self._waits.leave_long(self._long)
            self._long = None
