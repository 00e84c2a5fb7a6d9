"""The events of a settlement: one to the partner, one to each client with the connections that are its own."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.network import lookups
from clearwindow.network.values import Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.settlements import rules, shortfalls
from clearwindow.settlements.values import FundingGap, Settlement, SettlementState
from clearwindow.transfers import service as transfers


def notify_all(
    tx: Transaction, kind: EventType, partner: Partner, settlement: Settlement, *, balances_changed: bool = False
) -> None:
    """Tells the partner and the owner of every connection in the settlement; owners are never listed in Python."""
    transfers.list_informed_connections(tx, settlement.id)
    lookups.group_audience(tx)
    told: dict[EventType, dict[str, object]] = {kind: head(settlement)}
    if balances_changed:
        told[EventType.BALANCE_CHANGED] = {"cause": "settlement", "settlementId": str(settlement.id)}
    for told_kind, payload in told.items():
        notices.record(tx, [Event(told_kind, partner.enterprise_id, settlement.id, payload)])
        notices.record_for_audience(tx, told_kind, settlement.id, payload)


def notify_partner(
    tx: Transaction, kind: EventType, partner: Partner, settlement: Settlement, gaps: Sequence[FundingGap]
) -> None:
    """Tells the partner alone what its account is short of."""
    payload = head(settlement) | {"shortfalls": shortfalls.of_partner(gaps)}
    notices.record(tx, [Event(kind, partner.enterprise_id, settlement.id, payload)])


def head(settlement: Settlement) -> dict[str, object]:
    """What every event of a settlement says about it."""
    told: dict[str, object] = {
        "settlementId": str(settlement.id),
        "partnerId": str(settlement.partner_id),
        "externalId": settlement.external_id,
        "status": rules.wire_status(settlement.state),
    }
    if settlement.cutoff_at:
        told["cutoffAt"] = wire_time(settlement.cutoff_at)
    if not settlement.immediate:
        told["disputeDeadlineAt"] = wire_time(settlement.dispute_deadline_at)
        told["topUpDeadlineAt"] = wire_time(settlement.top_up_deadline_at)
    if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED) and settlement.finalized_at:
        told["finalizedAt"] = wire_time(settlement.finalized_at)
    return told
