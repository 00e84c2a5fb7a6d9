"""What an enterprise is told of its people. Operators are not named to it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_URL, UUID, uuid5

from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.postgres.pool import Transaction


def of_member(
    tx: Transaction, kind: EventType, enterprise_id: str, user_id: str, more: Mapping[str, object] | None = None
) -> None:
    """Records an event about a user of the enterprise, whose id need not be a UUID."""
    payload = {"userId": user_id, **(more or {})}
    outbox.record(tx, [Event(kind, enterprise_id, uuid5(NAMESPACE_URL, user_id), payload)])


def of_enterprise(
    tx: Transaction,
    kind: EventType,
    enterprise_id: str,
    payload: Mapping[str, object],
    subject_id: UUID | None = None,
) -> None:
    """Records an event about a thing of the enterprise, or about the enterprise, whose id need not be a UUID."""
    outbox.record(tx, [Event(kind, enterprise_id, subject_id or uuid5(NAMESPACE_URL, enterprise_id), payload)])
