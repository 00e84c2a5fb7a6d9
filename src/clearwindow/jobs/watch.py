"""Whether it is worth looking for due work, for next to nothing where nothing goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clearwindow.runtime import Runtime
from clearwindow.work.backlog import Waiting

LONGEST_REST_SECONDS: Final = 5
"""However quiet it seems: a database that is spread over several servers may not show all that is written."""
_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"


class Watch:
    """Sees that something was written, or that the time of a job has come.

    Two of PostgreSQL's snapshots that are the same see the same rows: whoever writes takes a transaction id, which
    is in a snapshot while it is under way, and behind it afterwards. So work that was not due at one of them is not
    due at the other, unless its time has come in between.
    """

    def __init__(
        self, runtime: Runtime, kinds: Sequence[Waiting], *, longest_rest_seconds: float = LONGEST_REST_SECONDS
    ) -> None:
        self._runtime = runtime
        self._kinds = kinds
        self._longest_rest_seconds = longest_rest_seconds
        self._rested_since = time.monotonic()
        self._seen: str | None = None
        self._is_ahead_known = False
        self._next_due_at: datetime | None = None

    def may_find(self) -> bool:
        """Whether a look for due work may find what the look after the last answer has not found."""
        found = self._has_changed() or time.monotonic() - self._rested_since >= self._longest_rest_seconds
        if found:
            self._rested_since = time.monotonic()
        return found

    def _has_changed(self) -> bool:
        with self._runtime.transaction() as tx:
            (seen,) = tx.scalars(str, _SNAPSHOT)
            if seen != self._seen:
                self._seen, self._is_ahead_known = seen, False
                return True
            if not self._is_ahead_known:
                # Only now, because what comes next may be a long list while much is going on.
                known = [moment for kind in self._kinds if (moment := kind.next_due_at(tx)) is not None]
                self._next_due_at = min(known, default=None)
                self._is_ahead_known = True
        return self._next_due_at is not None and self._next_due_at <= self._runtime.clock.now()
