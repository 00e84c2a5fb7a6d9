"""Every operation of the contract in the SDK: for each operation id the method and a call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.client import (
    ClearLoopKey,
    Client,
    Deposit,
    Partner,
    TokenKey,
    Trade,
    TradeCorrection,
    TradeSide,
)
from clearwindow.client.text import Amounts

ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
AT: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AMOUNTS: Final[Mapping[str, Amounts]] = {str(ID): {"BTC": Decimal("-1.5"), "USD": 7}}
TRADE: Final = Trade(
    external_id="t",
    external_order_id="o",
    party_connection_id=ID,
    traded_at=AT,
    base=TradeSide("BTC", 1),
    quote=TradeSide("USD", -5),
)

CLIENT: Final[Mapping[str, tuple[str, Callable[[Client], object]]]] = {
    "v1ClientsPostRoute": ("client.register", lambda client: client.register()),
    "v1ClientAllocationsGetRoute": (
        "client.allocations.list",
        lambda client: client.allocations.list(
            allocation_ids=[ID], types=["allocation"], created_before=AT, sort_field="id", page_size=5
        ).page(1),
    ),
    "v1ClientAllocationGetRoute": ("client.allocations.get", lambda client: client.allocations.get(ID)),
    "v1ClientBalancesGetRoute": ("client.balances", lambda client: client.balances(partner_ids=[ID])),
    "v1ClientConnectionsGetRoute": (
        "client.connections.list",
        lambda client: client.connections.list(active=True, names=["a, b"]).page(),
    ),
    "v1ClientConnectionsPostRoute": (
        "client.connections.create",
        lambda client: client.connections.create(
            partner_id=ID, name="main", connection_key=ClearLoopKey("k", "s", "account", "registration")
        ),
    ),
    "v1ClientConnectionGetRoute": ("client.connections.get", lambda client: client.connections.get(ID)),
    "v1ClientConnectionPutRoute": (
        "client.connections.update",
        lambda client: client.connections.update(ID, active=False),
    ),
    "V1ClientAllocationsPostRoute": (
        "client.allocations.allocate",
        lambda client: client.allocations.allocate(ID, currency="ofcbtc", quantity=1, client_external_id="a"),
    ),
    "v1ClientAllocationsSigningGetRoute": (
        "client.allocations.allocation_payload",
        lambda client: client.allocations.allocation_payload(
            ID, currency="ofcbtc", quantity=1, client_external_id="a", method="GET"
        ),
    ),
    "v1ClientAllocationsSigningPostRoute": (
        "client.allocations.allocation_payload",
        lambda client: client.allocations.allocation_payload(
            ID, currency="ofcbtc", quantity=1, client_external_id="a", notes="n"
        ),
    ),
    "V1ClientDeallocationsPostRoute": (
        "client.allocations.deallocate",
        lambda client: client.allocations.deallocate(ID, currency="ofcbtc", quantity=1, client_external_id="a"),
    ),
    "V1ClientDeallocationsSigningGetRoute": (
        "client.allocations.deallocation_payload",
        lambda client: client.allocations.deallocation_payload(
            ID, currency="ofcbtc", quantity=1, client_external_id="a", method="GET"
        ),
    ),
    "V1ClientDeallocationsSigningPostRoute": (
        "client.allocations.deallocation_payload",
        lambda client: client.allocations.deallocation_payload(
            ID, currency="ofcbtc", quantity=1, client_external_id="a"
        ),
    ),
    "V1ClientConnectionsSigningGetRoute": (
        "client.connections.payload",
        lambda client: client.connections.payload(
            partner_id=ID, name="main", connection_key=TokenKey("t"), method="GET"
        ),
    ),
    "V1ClientConnectionsSigningPostRoute": (
        "client.connections.payload",
        lambda client: client.connections.payload(partner_id=ID, name="main", connection_key=TokenKey("t")),
    ),
    "listClientSettlementDisputes": (
        "client.disputes.list",
        lambda client: client.disputes.list(closed=False, dispute_closure_ids=[ID]).page(),
    ),
    "v1ClientSettlementsGetRoute": (
        "client.settlements.list",
        lambda client: client.settlements.list(statuses=["pending", "failed"], only_show_disputed=True).page(),
    ),
    "v1ClientSettlementGetRoute": (
        "client.settlements.get",
        lambda client: client.settlements.get(ID, currencies=["ofcbtc"], page_number=0),
    ),
    "createClientSettlementDispute": (
        "client.disputes.create",
        lambda client: client.disputes.create(ID, connection_id=ID, expected_transfers={"ofcbtc": -1}, reason="r"),
    ),
    "updateClientSettlementDispute": (
        "client.disputes.update",
        lambda client: client.disputes.update(ID, connection_id=ID, retracted=True),
    ),
    "V1ClientSettlementDisputeClosurePostRoute": (
        "client.disputes.close",
        lambda client: client.disputes.close(ID, notes="we were wrong"),
    ),
    "v1ClientSettlementTransfersGetRoute": (
        "client.settlements.transfers",
        lambda client: client.settlements.transfers(
            settlement_ids=[ID],
            initiated_by=["u"],
            settlement_statuses=["completed"],
            settlement_transfer_statuses=["completed"],
            settlement_updated_before=AT,
            sort_field="updatedAt",
            sort_direction="ASC",
        ).page(),
    ),
    "v1PartnersGetRoute": (
        "client.partners",
        lambda client: client.partners(ids=[ID], filter_by_trust_org=True, institution_identifiers=["x"]).page(),
    ),
    "v1EnterpriseSupportedCurrenciesRoute": (
        "client.supported_currencies",
        lambda client: client.supported_currencies([ID]),
    ),
}

PARTNER: Final[Mapping[str, tuple[str, Callable[[Partner], object]]]] = {
    "v1PartnersPostRoute": (
        "partner.register",
        lambda partner: partner.register(
            name="Meridian",
            broker=False,
            institution_identifier="meridian",
            connection_key_schema="token",
            institution_id=ID,
            client_dispute_window_minutes=Decimal("0.5"),
        ),
    ),
    "v1PartnerAllocationsGetRoute": (
        "partner.allocations.list",
        lambda partner: partner.allocations.list(client_ids=[ID], sort_direction="DESC").page(),
    ),
    "v1PartnerAllocationsPutRoute": (
        "partner.allocations.update_allocation",
        lambda partner: partner.allocations.update_allocation(
            allocation_id=ID,
            partners_allocation_id="theirs",
            currency="BTC",
            quantity=Decimal("1.5"),
            client_id=ID,
            connection_id=ID,
            partners_client_id="c",
            partners_connection_id="k",
            status="released",
            reject_reason="closed",
        ),
    ),
    "v1PartnerAllocationGetRoute": ("partner.allocations.get", lambda partner: partner.allocations.get(ID)),
    "v1PartnerBalancesGetRoute": (
        "partner.balances",
        lambda partner: partner.balances(client_ids=[ID], partners_connection_ids=["k"]),
    ),
    "v1PartnerConnectionsGetRoute": (
        "partner.connections.list",
        lambda partner: partner.connections.list(partners_client_ids=["c"]).page(),
    ),
    "v1PartnerConnectionGetRoute": ("partner.connections.get", lambda partner: partner.connections.get(ID)),
    "V1PartnerDeallocationsPutRoute": (
        "partner.allocations.update_deallocation",
        lambda partner: partner.allocations.update_deallocation(
            deallocation_id=ID,
            partners_deallocation_id="theirs",
            currency="BTC",
            quantity=1,
            client_id=ID,
            connection_id=ID,
            partners_client_id="c",
            partners_connection_id="k",
            status="cleared",
        ),
    ),
    "listPartnerSettlementDisputes": (
        "partner.disputes.list",
        lambda partner: partner.disputes.list(show_retracted=True, settlement_external_ids=["day-1"]).page(),
    ),
    "v1PartnerSettlementsGetRoute": (
        "partner.settlements.list",
        lambda partner: partner.settlements.list(external_ids=["day-1"], updated_on_or_after=AT).page(),
    ),
    "v1PartnerSettlementsPostRoute": (
        "partner.settlements.create_v1",
        lambda partner: partner.settlements.create_v1(external_id="day-1", settlement_amounts=AMOUNTS),
    ),
    "v1PartnerSettlementSigningGetRoute": (
        "partner.settlements.payload",
        lambda partner: partner.settlements.payload(external_id="day-1", settlement_amounts=AMOUNTS, method="GET"),
    ),
    "v1PartnerSettlementsSigningPostRoute": (
        "partner.settlements.payload",
        lambda partner: partner.settlements.payload(external_id="day-1", settlement_amounts=AMOUNTS, cutoff_at=AT),
    ),
    "v1PartnerSettlementGetRoute": (
        "partner.settlements.get",
        lambda partner: partner.settlements.get(ID, source_trading_account_ids=["0" * 32]),
    ),
    "v1PartnerSettlementsNonReconciledPostRoute": (
        "partner.settlements.create_non_reconciled",
        lambda partner: partner.settlements.create_non_reconciled(
            external_id="day-1", settlement_amounts={str(ID): AMOUNTS}
        ),
    ),
    "v1PartnerOnChainSettlementPostRoute": (
        "partner.settlements.create_onchain",
        lambda partner: partner.settlements.create_onchain(
            external_id="day-1", settlement_amounts={str(ID): {"BTC": -5}}, notes="n"
        ),
    ),
    "v1PartnerExtDepositsPostRoute": (
        "partner.settlements.record_deposits",
        lambda partner: partner.settlements.record_deposits(
            external_settlement_id="day-1", deposits=[Deposit("BTC", "0xabc")]
        ),
    ),
    "v1PartnerExtDepositsSigningGetRoute": (
        "partner.settlements.deposits_payload",
        lambda partner: partner.settlements.deposits_payload(
            external_settlement_id="day-1", deposits=[Deposit("BTC", "0xabc")], settlement_id=ID
        ),
    ),
    "v1PartnerTradesSigningGetRoute": (
        "partner.settlements.trade_payload",
        lambda partner: partner.settlements.trade_payload(
            trade=TRADE, trade_correction=TradeCorrection(correcting_user="u", reason="r")
        ),
    ),
    "v2PartnerSettlementsPostRoute": (
        "partner.settlements.create",
        lambda partner: partner.settlements.create(
            external_id="day-1", settlement_amounts=AMOUNTS, cutoff_at=AT, notes="n"
        ),
    ),
}
