"""Tells whether there may be due work, at almost no cost while nothing is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clearwindow.jobs.backlog import Waiting
from clearwindow.runtime import Runtime

LONGEST_REST_SECONDS: Final = 5
"""The longest time between two looks. With several database servers, a snapshot may not show all writes."""
_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"


class Watch:
    """Notices that something was written, or that a job has become due.

    Two equal snapshots of PostgreSQL see the same rows: a transaction that writes takes an id, which changes the
    snapshot while the transaction runs and again when it ends. So work that was not due at the first snapshot is
    not due at the second, unless its due time has come in between.
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
        """Returns whether a look for due work may find more than the previous look did."""
        found = self._sees_something() or time.monotonic() - self._rested_since >= self._longest_rest_seconds
        if found:
            self._rested_since = time.monotonic()
        return found

    def _sees_something(self) -> bool:
        with self._runtime.transaction() as tx:
            (seen,) = tx.scalars(str, _SNAPSHOT)
            if seen != self._seen:
                self._seen, self._is_ahead_known = seen, False
                return True
            if not self._is_ahead_known:
                # Only now: while much is written, the list of jobs may be long.
                known = [moment for kind in self._kinds if (moment := kind.next_due_at(tx)) is not None]
                self._next_due_at = min(known, default=None)
                self._is_ahead_known = True
            return self._next_due_at is not None and self._next_due_at <= tx.now()
