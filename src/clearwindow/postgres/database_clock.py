"""The time of the database's clock, which all processes of a network share, whatever the clocks of their hosts say.

Deadlines are decided by it. Asking for it each time would cost a round trip, so the distance from our own ticks to
the database's clock is measured when a session is opened, and again now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from clearwindow.core.clock import whole_milliseconds

MEASURE_AGAIN_SECONDS: Final = 30.0
_DRIFT: Final = 0.0002
"""How far two clocks move apart, in seconds per second. Those of computers stay below this."""
_STEP_SECONDS: Final = 1.0
"""A clock that goes back by less stands still instead. One that was wrong by more is followed."""
_TRIES: Final = 3
_GOOD_SECONDS: Final = 0.005
_NOW: Final = "SELECT clock_timestamp()"


def ticks() -> float:
    """Returns the seconds since this machine started, those of its sleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the database's clock showed.

    Attributes:
        at: our ticks at this moment.
        moment: what it showed.
        uncertain_seconds: how far `at` may be from the truth.
    """

    at: float
    moment: datetime
    uncertain_seconds: float

    def shows(self, at: float) -> datetime:
        return self.moment + timedelta(seconds=at - self.at)

    def uncertain_at(self, at: float) -> float:
        return self.uncertain_seconds + abs(at - self.at) * _DRIFT


class DatabaseClock:
    """Tells the database's time. Until it is measured, it tells that of this machine."""

    def __init__(self, ticks: Callable[[], float] = ticks) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._reading: _Reading | None = None
        self._measured_at = float("-inf")
        self._last: datetime | None = None

    def now(self) -> datetime:
        with self._lock:
            reading = self._reading
            shown = reading.shows(self._ticks()) if reading else datetime.now(UTC)
            if self._last is not None and timedelta(0) < self._last - shown < timedelta(seconds=_STEP_SECONDS):
                shown = self._last
            self._last = shown
        return whole_milliseconds(shown)

    @property
    def is_old(self) -> bool:
        """Whether it is time to measure again."""
        return self._ticks() - self._measured_at > MEASURE_AGAIN_SECONDS

    def measure(self, connection: Connection[Any]) -> None:
        """Reads the database's clock. The connection must have no transaction open.

        Raises:
            psycopg.Error: the database could not be asked.
        """
        connection.autocommit = True
        try:
            with connection.cursor(row_factory=tuple_row) as cursor:
                for _ in range(_TRIES):
                    before = self._ticks()
                    (moment,) = cursor.execute(_NOW, prepare=False).fetchone() or (None,)
                    half = (self._ticks() - before) / 2
                    self._note(_Reading(before + half, moment, half))
                    if half < _GOOD_SECONDS:
                        break
        finally:
            if not connection.closed:
                connection.autocommit = False

    def _note(self, new: _Reading) -> None:
        with self._lock:
            self._measured_at = new.at
            old = self._reading
            if old is None:
                self._reading = new
                return
            old_uncertain = old.uncertain_at(new.at)
            apart = abs((new.moment - old.shows(new.at)).total_seconds())
            # Another server, or one whose clock was set: no two readings of one clock are so far apart.
            is_another = apart > old_uncertain + new.uncertain_seconds
            if is_another or new.uncertain_seconds <= old_uncertain:
                self._reading = new
