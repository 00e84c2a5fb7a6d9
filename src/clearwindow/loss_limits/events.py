"""What the outbox is told about limits of loss. Only the client learns of them."""

from __future__ import annotations

from collections.abc import Mapping

from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.loss_limits.models import Owned, Standing
from clearwindow.postgres.pool import Transaction


def record(tx: Transaction, enterprise_id: str, owned: Owned, changed: Mapping[str, Standing]) -> None:
    """Records one event for each changed currency."""
    found = [
        Event(EventType.LOSS_LIMIT_CHANGED, enterprise_id, owned.connection_id, _payload(owned, currency, standing))
        for currency, standing in changed.items()
    ]
    outbox.record(tx, found)


def _payload(owned: Owned, currency: str, standing: Standing) -> dict[str, object]:
    limits, later = standing.limits, standing.next_limits
    return {"connectionId": str(owned.connection_id), "currency": currency} | present(
        perSettlement=_text(limits.per_settlement),
        perDay=_text(limits.per_day),
        nextPerSettlement=_text(later.per_settlement) if later else None,
        nextPerDay=_text(later.per_day) if later else None,
        nextFrom=wire_time(standing.next_from) if standing.next_from else None,
    )


def _text(quantity: int | None) -> str | None:
    return None if quantity is None else str(quantity)
