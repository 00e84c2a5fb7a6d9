"""The events that tell both sides how an allocation goes, each in its own names. Protocol §9."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.allocations.values import Allocation, AllocationStatus
from clearwindow.database.pool import Transaction
from clearwindow.http.wire import present
from clearwindow.network.values import Client, CurrencyMap, Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType


def tell(
    tx: Transaction, history: Sequence[Allocation], client: Client, partner: Partner, currencies: CurrencyMap
) -> None:
    """One event for each state in ``history`` and side, and one to the client where funds have moved."""
    events: list[Event] = []
    for allocation in history:
        kind = EventType(f"{allocation.type}.{allocation.status}")
        ours = (allocation.currency, str(allocation.quantity))
        theirs = currencies.to_theirs(allocation.currency, allocation.quantity) or ours
        for enterprise_id, amount in ((client.enterprise_id, ours), (partner.enterprise_id, theirs)):
            events.append(Event(kind, enterprise_id, allocation.id, _payload(allocation, amount)))
    last = history[-1]
    if last.status is AllocationStatus.CLEARED:
        moved = {
            "cause": str(last.type),
            f"{last.type}Id": str(last.id),
            "connectionIds": [str(last.connection_id)],
            "currency": last.currency,
        }
        events.append(Event(EventType.BALANCE_CHANGED, client.enterprise_id, last.id, moved))
    notices.record(tx, events)


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
