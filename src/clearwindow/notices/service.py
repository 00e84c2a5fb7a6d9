"""Writing events to the outbox, in the transaction that made them happen, and reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.notices.values import Event

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
