"""The events of a settlement: one to the partner, one to each client with the connections that are its own."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.settlements import rules
from clearwindow.settlements.values import FundingGap, Settlement, SettlementState
from clearwindow.transfers import service as transfers


def notify_all(
    tx: Transaction, kind: EventType, partner: Partner, settlement: Settlement, *, balances_changed: bool = False
) -> None:
    """Tells the partner and the owner of every connection in the settlement."""
    head = _head(settlement)
    own: dict[str, list[str]] = {}
    connection_ids = transfers.party_connections(tx, settlement.id)
    for connection_id, enterprise_id in network.owners(tx, connection_ids).items():
        own.setdefault(enterprise_id, []).append(str(connection_id))
    events = [Event(kind, partner.enterprise_id, settlement.id, head)]
    events += [
        Event(kind, enterprise_id, settlement.id, head | {"connectionIds": sorted(connections)})
        for enterprise_id, connections in sorted(own.items())
    ]
    if balances_changed:
        cause: dict[str, object] = {"cause": "settlement", "settlementId": str(settlement.id)}
        changed = EventType.BALANCE_CHANGED
        events.append(Event(changed, partner.enterprise_id, settlement.id, cause))
        events += [
            Event(changed, enterprise_id, settlement.id, cause | {"connectionIds": sorted(connections)})
            for enterprise_id, connections in sorted(own.items())
        ]
    notices.record(tx, events)


def notify_partner(
    tx: Transaction, kind: EventType, partner: Partner, settlement: Settlement, gaps: Sequence[FundingGap]
) -> None:
    """Tells the partner alone what its account is short of."""
    missing = [
        {
            "currency": gap.currency,
            "needed": str(gap.needed),
            "available": str(gap.available),
            "shortfall": str(gap.shortfall),
        }
        for gap in gaps
    ]
    payload = _head(settlement) | {"shortfalls": missing}
    notices.record(tx, [Event(kind, partner.enterprise_id, settlement.id, payload)])


def _head(settlement: Settlement) -> dict[str, object]:
    head: dict[str, object] = {
        "settlementId": str(settlement.id),
        "partnerId": str(settlement.partner_id),
        "externalId": settlement.external_id,
        "status": rules.wire_status(settlement.state),
        "cutoffAt": wire_time(settlement.cutoff_at),
        "disputeDeadlineAt": wire_time(settlement.dispute_deadline_at),
        "topUpDeadlineAt": wire_time(settlement.top_up_deadline_at),
    }
    if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED) and settlement.finalized_at:
        head["finalizedAt"] = wire_time(settlement.finalized_at)
    return head
