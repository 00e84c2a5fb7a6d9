"""Attempts to deliver are kept for a while and then pruned; what became of each delivery stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from clearwindow.database.pool import Transaction
from clearwindow.notices import store
from clearwindow.runtime import Runtime

log = structlog.get_logger(__name__)

BATCH: Final = 5_000
"""Attempts that one transaction prunes."""

SLACK: Final = timedelta(hours=1)
"""How much longer the oldest may be kept, so that they are pruned by the hour and not one by one."""


class AttemptPruning:
    """Pruning as due work. Nobody waits for it, so that being late with it makes no worker unready."""

    name: Final = "webhook_attempts"

    def __init__(self, kept_days: int) -> None:
        self._kept = timedelta(days=kept_days)

    def due(self, runtime: Runtime, limit: int) -> list[datetime]:  # noqa: ARG002 - there is never more than one job
        """The moment before which attempts are pruned, once there are any that old."""
        now = runtime.clock.now()
        with runtime.transaction() as tx:
            due_at = self.next_due_at(tx)
        return [now - self._kept] if due_at is not None and due_at <= now else []

    def perform(self, runtime: Runtime, job: datetime) -> bool:
        """Prunes one batch; False where other workers are at all that is left."""
        with runtime.transaction() as tx:
            return store.prune_attempts(tx, started_before=job, limit=BATCH) > 0

    def postpone(self, runtime: Runtime, job: datetime, error: str) -> None:  # noqa: ARG002 - it has no row to note it in
        """Says what went wrong; the next look for due work tries it again."""
        log.warning("webhook_attempts_not_pruned", error=error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        oldest = store.oldest_attempt_at(tx)
        return None if oldest is None else oldest + self._kept + SLACK

    def count_due(self, tx: Transaction) -> int:
        due_at = self.next_due_at(tx)
        return int(due_at is not None and due_at <= tx.now())
