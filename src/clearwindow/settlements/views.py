"""Settlements as their partner and their clients may see them. Protocol §5, §6, §10.8."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import Partner
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes import views as dispute_views
from clearwindow.settlements.disputes.models import DisputeDetail, DisputeFilter
from clearwindow.settlements.models import (
    ClientSettlementDetail,
    ClientTransfers,
    Settlement,
    SettlementDetail,
    SettlementFilter,
    SettlementLine,
)
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import (
    TradingAccounts,
    Transfer,
    TransferFilter,
    TransferSearch,
    WantedTransfers,
)

_ALL_DISPUTES: Final = 100_000


def list_for_partner(runtime: Runtime, member: Member, wanted: SettlementFilter) -> Listing[SettlementLine]:
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        return list_any(tx, replace(wanted, partner_ids=_within(wanted.partner_ids, partner.id)))


def get_for_partner(
    runtime: Runtime, member: Member, settlement_id: UUID | None, wanted: WantedTransfers
) -> SettlementDetail:
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        return detail(tx, settlement_id, wanted, partner_id=partner.id)


def detail(
    tx: Transaction, settlement_id: UUID | None, wanted: WantedTransfers, *, partner_id: UUID | None
) -> SettlementDetail:
    """Returns the settlement of this partner, or of any partner if that is None."""
    settlement = store.require(tx, settlement_id)
    if partner_id not in (None, settlement.partner_id):
        raise _not_found()
    partner = network.existing_partner(tx, settlement.partner_id)
    page, total = transfers.list_transfers(tx, settlement.id, _transfer_filter(tx, partner, settlement, wanted))
    sides = {connection_id for transfer in page for connection_id in transfer.connection_ids}
    accounts = TradingAccounts(partner.go_account_id, network.client_accounts(tx, sides))
    settling, raised = _disputes(tx, settlement, own=None)
    return SettlementDetail(settlement, _any_standing(raised), page, accounts, settling, raised, total)


def list_transfers(
    runtime: Runtime, member: Member, settlement_id: UUID | None, wanted: WantedTransfers, part: Slice
) -> tuple[Listing[Transfer], TradingAccounts]:
    """Returns a part of all transfers of the partner's settlement, and the Go Accounts of its sides.

    Raises:
        NotFoundError: the partner has no such settlement.
    """
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        settlement = store.require_of_partner(tx, partner.id, settlement_id)
        return transfers_of(tx, partner, settlement, wanted, part)


def transfers_of(
    tx: Transaction, partner: Partner, settlement: Settlement, wanted: WantedTransfers, part: Slice
) -> tuple[Listing[Transfer], TradingAccounts]:
    """Returns a part of all transfers of a settlement, and the Go Accounts of its sides."""
    page = transfers.list_whole(tx, settlement.id, _transfer_filter(tx, partner, settlement, wanted), part)
    sides = {connection_id for transfer in page.items for connection_id in transfer.connection_ids}
    return page, TradingAccounts(partner.go_account_id, network.client_accounts(tx, sides))


def own_sums(runtime: Runtime, settlement_id: str, connection_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns what the settlement's own transfers move, by connection and currency: + the connection gains.

    It asks nobody who they are: the caller has found these connections in an answer to whom it tells the sums.
    """
    wanted = [UUID(each) for each in connection_ids]
    with runtime.transaction() as tx:
        sums = transfers.own_sums(tx, UUID(settlement_id), wanted)
    return {str(connection_id): of_connection for connection_id, of_connection in sums.items()}


def list_any(tx: Transaction, wanted: SettlementFilter) -> Listing[SettlementLine]:
    """Returns settlements of any partner that the filter names."""
    page = store.list_settlements(tx, wanted)
    disputed = disputes.disputed_among(tx, [settlement.id for settlement in page.items])
    return page.of([SettlementLine(found, found.id in disputed) for found in page.items])


def list_for_client(runtime: Runtime, member: Member, wanted: SettlementFilter) -> Listing[SettlementLine]:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        own = list(network.connections_of_client(tx, client.id))
        # A client must not find out by a filter whether another client's connection is in a settlement.
        narrowed = replace(
            wanted,
            own_connection_ids=own,
            party_connection_ids=_among(wanted.party_connection_ids, own),
            counterparty_connection_ids=_among(wanted.counterparty_connection_ids, own),
        )
        page = store.list_settlements(tx, narrowed)
        ids = [settlement.id for settlement in page.items]
        disputed = disputes.disputed_among(tx, ids, own)
        directions = {direction.settlement_id: direction for direction in transfers.directions(tx, ids, own)}
    lines = [SettlementLine(found, found.id in disputed, directions.get(found.id)) for found in page.items]
    return page.of(lines)


def get_for_client(
    runtime: Runtime, member: Member, settlement_id: UUID | None, wanted: WantedTransfers
) -> ClientSettlementDetail:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        connections = network.connections_of_client(tx, client.id)
        settlement = store.require(tx, settlement_id)
        own = transfers.party_connections(tx, settlement.id, list(connections))
        if not own:
            raise _not_found()
        shown = TransferFilter(
            own_connection_ids=own, currencies=wanted.currencies, limit=wanted.limit, offset=wanted.offset
        )
        page, total = transfers.list_transfers(tx, settlement.id, shown)
        settling, raised = _disputes(tx, settlement, own=own)
        disputed = _any_standing(raised)
        return ClientSettlementDetail(
            settlement, disputed, page, client, connections, settling, raised, transfer_count=total
        )


def list_transfers_for_client(runtime: Runtime, member: Member, wanted: TransferSearch) -> ClientTransfers:
    """Returns the client's own transfers in all settlements with one of its connections."""
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        connections = network.connections_of_client(tx, client.id)
        page = transfers.search(tx, replace(wanted, own_connection_ids=list(connections)))
        ids = {transfer.settlement_id for transfer in page.items if transfer.settlement_id}
        listed = SettlementFilter(settlement_ids=sorted(ids), part=Slice.of(len(ids)))
        settlements = {found.id: found for found in store.list_settlements(tx, listed).items}
    return ClientTransfers(page, settlements, client, connections)


def _transfer_filter(
    tx: Transaction, partner: Partner, settlement: Settlement, wanted: WantedTransfers
) -> TransferFilter:
    """Returns the filter with the connections that belong to the trading accounts."""
    sources, destinations = wanted.source_trading_account_ids, wanted.destination_trading_account_ids
    owners: Mapping[UUID, UUID] = {}
    if sources is not None or destinations is not None:
        owners = network.client_accounts(tx, transfers.party_connections(tx, settlement.id))
    return TransferFilter(
        connection_ids=_connections_of(destinations, owners),
        counterparty_connection_ids=_connections_of(sources, owners),
        from_partner=sources is not None and partner.go_account_id in sources,
        account_ids=wanted.destination_network_account_ids,
        counterparty_account_ids=wanted.source_network_account_ids,
        currencies=wanted.currencies,
        limit=wanted.limit,
        offset=wanted.offset,
    )


def _connections_of(trading_accounts: Sequence[UUID] | None, owners: Mapping[UUID, UUID]) -> list[UUID] | None:
    if trading_accounts is None:
        return None
    asked = set(trading_accounts)
    return [connection_id for connection_id, account_id in owners.items() if account_id in asked]


def _disputes(
    tx: Transaction, settlement: Settlement, own: Sequence[UUID] | None
) -> tuple[list[DisputeDetail], list[DisputeDetail]]:
    """Returns the disputes that the settlement settles, and those raised on it."""
    scope = DisputeFilter(own_connection_ids=own, part=Slice.of(_ALL_DISPUTES))
    settling = dispute_views.describe(tx, replace(scope, settled_in_settlement_ids=[settlement.id])).items
    raised = dispute_views.describe(tx, replace(scope, settlement_ids=[settlement.id])).items
    return settling, raised


def _any_standing(raised: Sequence[DisputeDetail]) -> bool:
    return any(not detail.dispute.retracted for detail in raised)


def _among(asked: Sequence[UUID] | None, own: Collection[UUID]) -> list[UUID] | None:
    return None if asked is None else [connection_id for connection_id in asked if connection_id in own]


def _within(wanted: Sequence[UUID] | None, own: UUID) -> list[UUID]:
    """Returns the caller's own id, or nothing if the filter names others only."""
    return [own] if wanted is None or own in wanted else []


def _not_found() -> NotFoundError:
    return NotFoundError("settlement_not_found", "there is no such settlement")
