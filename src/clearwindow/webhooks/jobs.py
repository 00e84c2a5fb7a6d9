"""Due work of webhooks: deliveries, and the pruning of old attempts.

The results of deliveries are kept; their attempts are pruned after some days.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.webhooks import store

log = structlog.get_logger(__name__)

BATCH: Final = 5_000
"""The most attempts that one transaction prunes."""

SLACK: Final = timedelta(hours=1)
"""Attempts are pruned up to this much late, so that they are pruned once an hour and not one by one."""


class WebhookBacklog:
    """Deliveries as due work: events without deliveries, and endpoints, which get one message after the other."""

    name = "webhooks"

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_delivery_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_events_to_deliver(tx) + store.count_owed_endpoints(tx)

    def under_way(self, tx: Transaction) -> int:
        """Returns how many endpoints are leased now."""
        return store.count_leased(tx)


class AttemptPruning:
    """Pruning of attempts as due work. Nobody waits for it, so a late pruning makes no worker unready."""

    name: Final = "webhook_attempts"

    def __init__(self, kept_days: int) -> None:
        self._kept = timedelta(days=kept_days)

    def due(self, runtime: Runtime, limit: int) -> list[datetime]:  # noqa: ARG002 - there is at most one job
        """Returns the time before which attempts are pruned, if any is that old."""
        with runtime.transaction() as tx:
            due_at, now = self.next_due_at(tx), tx.now()
        return [now - self._kept] if due_at is not None and due_at <= now else []

    def perform(self, runtime: Runtime, job: datetime) -> bool:
        """Prunes one batch. Returns False if other workers have locked all that is left."""
        with runtime.transaction() as tx:
            return store.prune_attempts(tx, started_before=job, limit=BATCH) > 0

    def postpone(self, runtime: Runtime, job: datetime, error: str) -> None:  # noqa: ARG002 - there is no row for it
        """Logs the error. The next look for due work tries again."""
        log.warning("webhook_attempts_not_pruned", error=error)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        oldest = store.oldest_attempt_at(tx)
        return None if oldest is None else oldest + self._kept + SLACK

    def count_due(self, tx: Transaction) -> int:
        due_at = self.next_due_at(tx)
        return int(due_at is not None and due_at <= tx.now())
