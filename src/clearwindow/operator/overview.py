"""Settlements, disputes and due work of the whole network, for operators."""

from __future__ import annotations

from uuid import UUID

from clearwindow.clock import wire_time
from clearwindow.database.listing import Listing
from clearwindow.disputes import service as disputes
from clearwindow.disputes.values import Closure, DisputeFilter
from clearwindow.disputes.wire import DisputeWithClosureOutput
from clearwindow.http.filters import Page
from clearwindow.operator import settlement_wire as wire
from clearwindow.runtime import Runtime
from clearwindow.settlements import reading
from clearwindow.settlements.filters import states_of
from clearwindow.settlements.reading import WantedTransfers
from clearwindow.settlements.values import Settlement, SettlementFilter


def list_settlements(
    runtime: Runtime, filters: wire.OperatorSettlementFilters
) -> Listing[wire.OperatorSettlementOutput]:
    wanted = SettlementFilter(
        settlement_ids=filters.settlement_ids,
        partner_ids=filters.partner_ids,
        external_ids=filters.external_ids,
        states=states_of(filters.statuses),
        limit=filters.limit,
        offset=filters.offset,
    )
    with runtime.transaction() as tx:
        page = reading.list_any(tx, wanted)
        disputed = disputes.disputed_among(tx, [settlement.id for settlement in page.items])
    shown = [wire.operator_settlement(found, disputed=found.id in disputed) for found in page.items]
    return Listing(shown, page.total)


def get_settlement(
    runtime: Runtime, settlement_id: UUID | None, wanted: WantedTransfers
) -> tuple[wire.OperatorSettlementDetailAnswer, int]:
    """The settlement with one page of its transfers, and how many transfers there are."""
    with runtime.transaction() as tx:
        detail, total = reading.detail(tx, settlement_id, wanted, partner_id=None)
    answer = wire.OperatorSettlementDetailAnswer(
        settlement=wire.operator_settlement(detail.settlement, disputed=detail.disputed),
        settlement_transfers=detail.transfers,
        settling_disputes=detail.settling,
        settlement_disputes=detail.raised,
    )
    return answer, total


def shown(runtime: Runtime, settlement: Settlement) -> wire.OperatorSettlementAnswer:
    with runtime.transaction() as tx:
        disputed = disputes.disputed_among(tx, [settlement.id])
    output = wire.operator_settlement(settlement, disputed=settlement.id in disputed)
    return wire.OperatorSettlementAnswer(settlement=output)


def list_disputes(runtime: Runtime, filters: wire.OperatorDisputeFilters) -> Listing[DisputeWithClosureOutput]:
    wanted = DisputeFilter(
        dispute_ids=filters.dispute_ids,
        settlement_ids=filters.settlement_ids,
        settled_in_settlement_ids=filters.settled_in_settlement_ids,
        connection_ids=filters.connection_ids,
        partner_ids=filters.partner_ids,
        closed=filters.closed,
        limit=filters.limit,
        offset=filters.offset,
    )
    with runtime.transaction() as tx:
        return disputes.describe(tx, wanted)


def list_closures(runtime: Runtime, filters: wire.ClosureFilters) -> Listing[Closure]:
    with runtime.transaction() as tx:
        return disputes.list_closures(tx, filters.statuses, filters.dispute_ids, filters.limit, filters.offset)


def list_work(runtime: Runtime, filters: Page) -> Listing[wire.WorkItem]:
    with runtime.transaction() as tx:
        page = reading.list_work(tx, filters.limit, filters.offset)
        now = tx.now()
    items = []
    for settlement in page.items:
        if settlement.due_at is None:
            continue
        due = "due" if settlement.due_at <= now else "waiting"
        item = wire.WorkItem(
            kind="settlement",
            id=str(settlement.id),
            stage=settlement.state.value,
            status="failing" if settlement.attempts else due,
            due_at=wire_time(settlement.due_at),
            attempts=settlement.attempts,
            last_error=settlement.last_error,
        )
        items.append(item)
    return Listing(items, page.total)
