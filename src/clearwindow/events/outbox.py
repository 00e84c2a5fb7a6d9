"""The outbox: events are written in the transaction that made them happen. Protocol §9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.core.ids import time_ordered_prefix
from clearwindow.events.models import Event, EventFilter, EventType, RecordedEvent
from clearwindow.postgres.paging import Listing, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.runtime import Runtime

sql: Final = Queries("clearwindow.events")


def record(tx: Transaction, events: Sequence[Event]) -> None:
    """Writes the events in one statement, in this order."""
    if not events:
        return
    tx.tell(
        sql["insert_events"],
        enterprise_ids=[event.enterprise_id for event in events],
        types=[str(event.type) for event in events],
        subject_ids=[event.subject_id for event in events],
        payloads=[Jsonb(dict(event.payload)) for event in events],
        now=tx.now(),
    )


def record_step(
    tx: Transaction,
    enterprise_id: str,
    settlement_id: UUID,
    payloads: Mapping[EventType, Mapping[str, object]],
) -> None:
    """Writes the events of a settlement's step, in this order.

    They are for this enterprise, its partner, and for each client with a connection in the settlement. A client's
    view of the payload also has ``connectionIds``, its own connections.
    """
    now = tx.now()
    tx.tell(
        sql["insert_step"],
        enterprise_id=enterprise_id,
        settlement_id=settlement_id,
        types=[str(kind) for kind in payloads],
        payloads=[Jsonb(dict(payload)) for payload in payloads.values()],
        id_prefix=time_ordered_prefix(now),
        now=now,
    )


def record_steps(tx: Transaction, steps: Sequence[Event]) -> None:
    """Writes steps of many settlements in the same way, in this order."""
    now = tx.now()
    tx.tell(
        sql["insert_steps"],
        enterprise_ids=[step.enterprise_id for step in steps],
        settlement_ids=[step.subject_id for step in steps],
        types=[str(step.type) for step in steps],
        payloads=[Jsonb(dict(step.payload)) for step in steps],
        id_prefix=time_ordered_prefix(now),
        now=now,
    )


def list_events(runtime: Runtime, wanted: EventFilter) -> Listing[RecordedEvent]:
    """Returns one page of the outbox, newest first: a row for each owner of an event, as that owner sees it."""
    values: dict[str, object] = {
        "subject_id": wanted.subject_id,
        "types": list(wanted.types) if wanted.types else None,
    }
    name = "list_events"
    if wanted.enterprise_id is not None:
        name, values["enterprise_id"] = "list_events_of_enterprise", wanted.enterprise_id
    with runtime.transaction() as tx:
        return list_page(tx, RecordedEvent, sql[name], values, limit=wanted.limit, offset=wanted.offset)
