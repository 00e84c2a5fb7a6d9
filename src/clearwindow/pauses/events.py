"""What the outbox is told about pauses."""

from __future__ import annotations

from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.pauses import rules, store
from clearwindow.pauses.models import Pause
from clearwindow.postgres.pool import Transaction


def record(tx: Transaction, kind: EventType, pause: Pause) -> None:
    """Records an event for operators and everybody concerned. Only its owner learns which Go Account is paused."""
    named = rules.subject_fields(pause.subject)
    hidden = {name: value for name, value in named.items() if name != "goAccountId"}
    times = present(
        pausedAt=wire_time(pause.paused_at), resumedAt=wire_time(pause.resumed_at) if pause.resumed_at else None
    )
    head = {"pauseId": str(pause.id), "kind": pause.kind.value}
    found = [
        Event(kind, one.enterprise_id, pause.id, head | (named if one.owns else hidden) | times)
        for one in store.concerned(tx, pause.subject)
    ]
    outbox.record(tx, found)
    outbox.tell_operators(tx, kind, pause.id, head | named | times)
