"""Writing events to the outbox, in the transaction that made them happen, and reading them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.ids import time_ordered_prefix
from clearwindow.notices.values import Event, EventType

sql: Final = Queries("clearwindow.notices")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    id: UUID
    sequence: int
    enterprise_id: str
    type: str
    subject_id: UUID
    payload: dict[str, object]
    created_at: datetime
    total: int


def record(tx: Transaction, events: Sequence[Event]) -> None:
    """Writes all events in one statement, in the order given."""
    if not events:
        return
    tx.run(
        sql["insert_events"],
        enterprise_ids=[event.enterprise_id for event in events],
        types=[str(event.type) for event in events],
        subject_ids=[event.subject_id for event in events],
        payloads=[Jsonb(dict(event.payload)) for event in events],
        now=tx.now(),
    )


def record_for_audience(tx: Transaction, kind: EventType, subject_id: UUID, payload: Mapping[str, object]) -> None:
    """Writes one event for each enterprise of the temporary table ``audience``, its own connections added to it."""
    now = tx.now()
    values = {"type": kind, "subject_id": subject_id, "payload": Jsonb(dict(payload))}
    tx.run(sql["insert_events_for_audience"], **values, id_prefix=time_ordered_prefix(now), now=now)


def list_events(
    tx: Transaction,
    *,
    enterprise_id: str | None,
    subject_id: UUID | None,
    types: Sequence[str] | None,
    limit: int,
    offset: int,
) -> list[RecordedEvent]:
    """The outbox, newest first."""
    return tx.all(
        RecordedEvent,
        sql["list_events"],
        enterprise_id=enterprise_id,
        subject_id=subject_id,
        types=list(types) if types else None,
        limit=limit,
        offset=offset,
    )
