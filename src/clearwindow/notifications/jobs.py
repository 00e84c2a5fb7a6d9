"""Notifications as due work: events that nobody was told of, and channels with something to send."""

from __future__ import annotations

from datetime import datetime

from clearwindow.notifications import store
from clearwindow.postgres.pool import Transaction


class NotificationBacklog:
    """What is held until quiet hours end, or until the next try, is not due."""

    name = "notifications"

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx)
