"""The events of an allocation, for the client and for the partner, each in its own names. Protocol §9."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.allocations.models import Allocation, AllocationStatus, Parties
from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.postgres.pool import Transaction


def record(tx: Transaction, history: Sequence[Allocation], parties: Parties) -> None:
    """Records one event per state in ``history`` for each side, and one for the client if funds have moved."""
    events: list[Event] = []
    client_enterprise, partner_enterprise = parties.client.enterprise_id, parties.partner.enterprise_id
    for allocation in history:
        kind = EventType(f"{allocation.type}.{allocation.status}")
        ours = (allocation.currency, str(allocation.quantity))
        theirs = parties.currencies.to_theirs(allocation.currency, allocation.quantity) or ours
        for enterprise_id, amount in ((client_enterprise, ours), (partner_enterprise, theirs)):
            events.append(Event(kind, enterprise_id, allocation.id, _payload(allocation, amount)))
    last = history[-1]
    if last.status is AllocationStatus.CLEARED:
        moved = {
            "cause": str(last.type),
            f"{last.type}Id": str(last.id),
            "connectionIds": [str(last.connection_id)],
            "currency": last.currency,
        }
        events.append(Event(EventType.BALANCE_CHANGED, client_enterprise, last.id, moved))
    outbox.record(tx, events)


def _payload(allocation: Allocation, amount: tuple[str, str]) -> dict[str, object]:
    currency, quantity = amount
    return present(
        **{
            f"{allocation.type}Id": str(allocation.id),
            "connectionId": str(allocation.connection_id),
            "clientId": str(allocation.client_id),
            "partnerId": str(allocation.partner_id),
            "clientExternalId": allocation.client_external_id,
            "amount": {"currency": currency, "quantity": quantity},
            "status": str(allocation.status),
            "reason": allocation.reason,
        }
    )
