"""Settlements, disputes and due work of the whole network, for operators."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clearwindow.network import store as network
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime
from clearwindow.settlements import store, views
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes import views as dispute_views
from clearwindow.settlements.disputes.models import Closure, ClosureFilter, DisputeDetail, DisputeFilter
from clearwindow.settlements.models import (
    Settlement,
    SettlementDetail,
    SettlementFilter,
    SettlementLine,
    SettlementState,
    WaitingSettlement,
    WorkFilter,
)
from clearwindow.settlements.transfers.models import TradingAccounts, Transfer, WantedTransfers


def list_settlements(runtime: Runtime, wanted: SettlementFilter) -> Listing[SettlementLine]:
    with runtime.transaction() as tx:
        return views.list_any(tx, wanted)


def get_settlement(runtime: Runtime, settlement_id: UUID | None, wanted: WantedTransfers) -> SettlementDetail:
    with runtime.transaction() as tx:
        return views.detail(tx, settlement_id, wanted, partner_id=None)


def list_transfers(
    runtime: Runtime, settlement_id: UUID | None, wanted: WantedTransfers, part: Slice
) -> tuple[Listing[Transfer], TradingAccounts]:
    """Returns a part of all transfers of a settlement, and the Go Accounts of its sides."""
    with runtime.transaction() as tx:
        settlement = store.require(tx, settlement_id)
        partner = network.existing_partner(tx, settlement.partner_id)
        return views.transfers_of(tx, partner, settlement, wanted, part)


def with_disputed(runtime: Runtime, settlement: Settlement) -> SettlementLine:
    """Returns the settlement with whether it is disputed now."""
    with runtime.transaction() as tx:
        return SettlementLine(settlement, disputes.is_disputed(tx, settlement.id))


def list_disputes(runtime: Runtime, wanted: DisputeFilter) -> Listing[DisputeDetail]:
    with runtime.transaction() as tx:
        return dispute_views.describe(tx, wanted)


def list_closures(runtime: Runtime, wanted: ClosureFilter) -> Listing[Closure]:
    with runtime.transaction() as tx:
        return disputes.list_closures(tx, wanted)


def list_work(runtime: Runtime, wanted: WorkFilter) -> Listing[WaitingSettlement]:
    with runtime.transaction() as tx:
        page = store.list_work(tx, wanted)
        now = tx.now()
    return page.of([_waiting(found, found.due_at, now) for found in page.items if found.due_at])


def _waiting(settlement: Settlement, due_at: datetime, now: datetime) -> WaitingSettlement:
    if settlement.paused_since is not None and settlement.state is not SettlementState.DISPUTE_WINDOW:
        return WaitingSettlement(settlement, due_at, "paused")
    if settlement.attempts:
        return WaitingSettlement(settlement, due_at, "failing")
    return WaitingSettlement(settlement, due_at, "due" if due_at <= now else "waiting")
