"""The events of a settlement. One row for a step: its owners are the partner and the clients in the settlement."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.core.clock import wire_time
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import funding, rules
from clearwindow.settlements.models import FundingGap, Settlement, SettlementState


def notify_all(
    tx: Transaction,
    kind: EventType,
    partner: Partner,
    settlement: Settlement,
    *,
    balances_changed: bool = False,
    warnings: Sequence[str] = (),
) -> None:
    """Records a step of the settlement for the partner and for the owner of each connection in it."""
    payloads: dict[EventType, dict[str, object]] = {kind: head(settlement)}
    if warnings:
        payloads[kind]["warnings"] = list(warnings)
    if balances_changed:
        payloads[EventType.BALANCE_CHANGED] = _balances(settlement)
    outbox.record_step(tx, partner.enterprise_id, settlement.id, payloads)


def notify_all_of_each(
    tx: Transaction,
    kind: EventType,
    partner: Partner,
    settlements: Sequence[Settlement],
    *,
    balances_changed: bool = False,
) -> None:
    """Records the same step of each of these settlements, in this order."""
    steps: list[Event] = []
    for settlement in settlements:
        steps.append(Event(kind, partner.enterprise_id, settlement.id, head(settlement)))
        if balances_changed:
            balances = _balances(settlement)
            steps.append(Event(EventType.BALANCE_CHANGED, partner.enterprise_id, settlement.id, balances))
    outbox.record_steps(tx, steps)


def notify_balances(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Records that the settlement changed balances without changing its own status."""
    payloads = {EventType.BALANCE_CHANGED: _balances(settlement)}
    outbox.record_step(tx, partner.enterprise_id, settlement.id, payloads)


def _balances(settlement: Settlement) -> dict[str, object]:
    return {"cause": "settlement", "settlementId": str(settlement.id)}


def notify_partner(
    tx: Transaction, kind: EventType, partner: Partner, settlement: Settlement, gaps: Sequence[FundingGap]
) -> None:
    """Records an event for the partner alone, with what its account lacks."""
    payload = head(settlement) | {"shortfalls": funding.partner_shortfalls(gaps)}
    outbox.record(tx, [Event(kind, partner.enterprise_id, settlement.id, payload)])


def head(settlement: Settlement) -> dict[str, object]:
    """Returns the fields that every event of a settlement has."""
    fields: dict[str, object] = {
        "settlementId": str(settlement.id),
        "partnerId": str(settlement.partner_id),
        "externalId": settlement.external_id,
        "status": rules.wire_status(settlement.state),
    }
    if settlement.cutoff_at:
        fields["cutoffAt"] = wire_time(settlement.cutoff_at)
    if not settlement.immediate:
        fields["disputeDeadlineAt"] = wire_time(settlement.dispute_deadline_at)
        fields["topUpDeadlineAt"] = wire_time(settlement.top_up_deadline_at)
    if settlement.withdrawn_reason is not None:
        fields["withdrawnReason"] = settlement.withdrawn_reason
    if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED) and settlement.finalized_at:
        fields["finalizedAt"] = wire_time(settlement.finalized_at)
    return fields
