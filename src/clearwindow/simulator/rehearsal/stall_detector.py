"""Detects that a rehearsal makes no progress any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class StallDetector:
    """Reports a stall if nothing has changed for ``seconds``. The total time does not matter."""

    seconds: float
    now: Callable[[], float] = time.monotonic
    _last_state: object = field(default=None, init=False)
    _changed_at: float = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._changed_at = self.now()

    def is_stalled(self, state: object) -> bool:
        """Returns whether the state has been the same for more than ``seconds``."""
        now = self.now()
        if state != self._last_state:
            self._last_state, self._changed_at = state, now
        return now - self._changed_at > self.seconds
