"""The outbox: events are written in the transaction that made them happen. Protocol §9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.core.ids import time_ordered_prefix
from clearwindow.events.models import Event, EventFilter, EventType, RecordedEvent
from clearwindow.postgres.paging import EXACT_TOTAL, Listing, Order, Slice, listing_of
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.postgres.rows import model_of
from clearwindow.runtime import Runtime

sql: Final = Queries("clearwindow.events")
_ORDER: Final = Order({"sequence": int, "as_client": int, "enterprise_id": str})


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


def tell_operators(tx: Transaction, kind: EventType, subject_id: UUID, payload: Mapping[str, object]) -> None:
    """Writes what operators hear of it. Enterprises hear of it by events of their own."""
    tx.tell(
        sql["insert_operator_event"],
        id=tx.new_id(),
        type=str(kind),
        subject_id=subject_id,
        payload=Jsonb(dict(payload)),
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


def list_events(runtime: Runtime, wanted: EventFilter, part: Slice) -> Listing[RecordedEvent]:
    """Returns one page of the outbox, newest first: a row for each owner of an event, as that owner sees it."""
    values: dict[str, object] = {
        "subject_id": wanted.subject_id,
        "types": list(wanted.types) if wanted.types else None,
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    of_whom = ""
    if wanted.enterprise_id is not None:
        of_whom, values["enterprise_id"] = "_of_enterprise", wanted.enterprise_id
    nowhere: dict[str, object] = dict.fromkeys(("after_0", "after_1", "after_2"))
    places = nowhere if part.after is None else _ORDER.values_of(part.after)
    with runtime.transaction() as tx:
        rows = {"limit": part.limit + 1, "offset": part.offset}
        records = tx.records(sql[f"list_events{of_whom}"], **values, **places, **rows)
        counted = 0
        if part.counted:
            (counted,) = tx.scalars(int, sql[f"count_events{of_whom}"], **values, most=EXACT_TOTAL + 1)
    return listing_of(records, _recorded, _ORDER, part, int(counted))


def _recorded(record: Mapping[str, object]) -> RecordedEvent:
    return model_of(RecordedEvent, {name: value for name, value in record.items() if name != "as_client"})
