"""How long a rehearsal waits for something: as long as anything goes on at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Patience:
    """Is at its end when nothing has changed for so long; how long it all takes does not matter."""

    seconds: float
    now: Callable[[], float] = time.monotonic
    _seen: object = field(default=None, init=False)
    _changed_at: float = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._changed_at = self.now()

    def is_at_its_end(self, seen: object) -> bool:
        """Whether what is seen now is what was seen all the time."""
        now = self.now()
        if seen != self._seen:
            self._seen, self._changed_at = seen, now
        return now - self._changed_at > self.seconds
