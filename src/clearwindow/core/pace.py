"""How fast one class of work goes, and so how long a line for it takes. No I/O, no clock."""

from __future__ import annotations

from typing import Final

_WEIGHT_OF_NEWEST: Final = 0.1


class Pace:
    """The mean duration of work of one class, of which the newest counts most. Any thread may call it."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._mean_seconds = 0.0

    def note(self, seconds: float) -> None:
        """Notes how long a piece of work took."""
        # Two threads at once may lose one of the notes, which changes a mean very little.
        self._mean_seconds += _WEIGHT_OF_NEWEST * (seconds - self._mean_seconds)

    def wait_seconds(self, waiting: int) -> float:
        """Returns how long it takes, on average, until so many that wait have begun."""
        return waiting * self._mean_seconds / self._at_once
