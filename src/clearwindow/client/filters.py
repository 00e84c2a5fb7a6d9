"""Filters and sort orders of lists, named as on the wire. Omitted fields do not filter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict

from clearwindow.client.text import Id

Ids: TypeAlias = Sequence[Id]
Texts: TypeAlias = Sequence[str]
SortDirection: TypeAlias = Literal["ASC", "DESC"]
Statuses: TypeAlias = Sequence[Literal["failed", "completed", "pending", "rejected"]]


class PageFilters(TypedDict, total=False):
    """``page_size`` is how many entries each request reads; the server has its own limit."""

    page_size: int


class CreatedFilters(PageFilters, total=False):
    """A range of time: ``created_before`` is exclusive, ``created_on_or_after`` inclusive."""

    created_on_or_after: datetime
    created_before: datetime


class ClientBalanceFilters(PageFilters, total=False):
    connection_ids: Ids
    partner_ids: Ids


class PartnerBalanceFilters(ClientBalanceFilters, total=False):
    client_ids: Ids
    partners_connection_ids: Texts


class PartnerFilters(PageFilters, total=False):
    ids: Ids
    names: Texts
    institution_ids: Ids
    institution_identifiers: Texts
    active: bool
    filter_by_trust_org: bool
    allocation_policies_enabled: bool


class ClientConnectionFilters(PageFilters, total=False):
    active: bool
    connection_ids: Ids
    names: Texts
    partner_ids: Ids


class PartnerConnectionFilters(PageFilters, total=False):
    active: bool
    client_ids: Ids
    connection_ids: Ids
    partners_client_ids: Texts
    partners_connection_ids: Texts
    partner_ids: Ids


class AllocationFilters(CreatedFilters, total=False):
    allocation_ids: Ids
    types: Sequence[Literal["allocation", "deallocation"]]
    statuses: Sequence[Literal["cleared", "released", "reserved"]]
    currencies: Texts
    connection_ids: Ids
    partner_ids: Ids
    sort_direction: SortDirection


class ClientAllocationFilters(AllocationFilters, total=False):
    sort_field: Literal["id", "updatedAt", "quantity", "currency"]


class PartnerAllocationFilters(AllocationFilters, total=False):
    client_ids: Ids
    sort_field: Literal["id", "updatedAt", "quantity"]


class SettlementFilters(CreatedFilters, total=False):
    settlement_ids: Ids
    only_show_disputed: bool
    partner_ids: Ids
    party_connection_ids: Ids
    counterparty_connection_ids: Ids


class ClientSettlementFilters(SettlementFilters, total=False):
    statuses: Statuses


class PartnerSettlementFilters(SettlementFilters, total=False):
    external_ids: Texts
    updated_on_or_after: datetime
    updated_before: datetime


class TransferPageFilters(PageFilters, total=False):
    """``page_number`` selects the page of transfers that comes with the settlement, counted from 0."""

    page_number: int
    currencies: Texts


class ForecastFilters(PageFilters, total=False):
    """``page_number`` selects the page of network accounts that comes with the forecast, counted from 0."""

    page_number: int


class PartnerForecastFilters(ForecastFilters, total=False):
    connection_ids: Ids


class CalendarFilters(PageFilters, total=False):
    """``before`` is exclusive, ``on_or_after`` inclusive."""

    on_or_after: datetime
    before: datetime
    kinds: Sequence[Literal["dispute_window_ends", "top_up_window_ends", "closures_run"]]


class StandingTopUpFilters(CreatedFilters, total=False):
    active: bool


class PartnerTransferFilters(TransferPageFilters, total=False):
    source_network_account_ids: Ids
    source_trading_account_ids: Texts
    destination_network_account_ids: Ids
    destination_trading_account_ids: Texts


class ClientTransferFilters(PageFilters, total=False):
    currencies: Texts
    initiated_by: Texts
    partner_ids: Ids
    settlement_ids: Ids
    settlement_statuses: Statuses
    settlement_transfer_statuses: Texts
    settlement_updated_before: datetime
    settlement_updated_on_or_after: datetime
    sort_field: Literal["updatedAt"]
    sort_direction: SortDirection


class DisputeFilters(CreatedFilters, total=False):
    settlement_ids: Ids
    settled_in_settlement_ids: Ids
    connection_ids: Ids
    partner_ids: Ids
    closed: bool
    dispute_ids: Ids
    dispute_closure_ids: Ids


class PartnerDisputeFilters(DisputeFilters, total=False):
    settlement_external_ids: Texts
    settled_in_settlement_external_ids: Texts
    show_retracted: bool
    client_ids: Ids


class OperatorSettlementFilters(CreatedFilters, total=False):
    settlement_ids: Ids
    partner_ids: Ids
    external_ids: Texts
    statuses: Statuses
    only_show_disputed: bool
    updated_on_or_after: datetime
    updated_before: datetime


class OperatorDisputeFilters(CreatedFilters, total=False):
    dispute_ids: Ids
    settlement_ids: Ids
    settled_in_settlement_ids: Ids
    connection_ids: Ids
    partner_ids: Ids
    client_ids: Ids
    closed: bool
    retracted: bool


class WorkFilters(PageFilters, total=False):
    """``due_before`` is exclusive, ``due_on_or_after`` inclusive."""

    partner_ids: Ids
    stages: Sequence[Literal["dispute_window", "top_up_window", "onchain", "failed"]]
    due_on_or_after: datetime
    due_before: datetime


class ClosureFilters(CreatedFilters, total=False):
    dispute_ids: Ids
    partner_ids: Ids
    statuses: Sequence[Literal["pending_review", "approved", "rejected"]]


class AuditFilters(PageFilters, total=False):
    subject_id: Id
    actor_id: Id
    enterprise_id: Id
    action: str
    on_or_after: datetime
    before: datetime


class EntryFilters(CreatedFilters, total=False):
    cause_id: Id
    account_id: Id


class NetOrderFilters(PageFilters, total=False):
    currencies: Texts


class WholeSettlementFilters(PageFilters, total=False):
    currencies: Texts
    source_network_account_ids: Ids
    source_trading_account_ids: Texts
    destination_network_account_ids: Ids
    destination_trading_account_ids: Texts


class StatementPeriod(TypedDict, total=False):
    """``created_before`` is exclusive, ``created_on_or_after`` inclusive."""

    created_on_or_after: datetime
    created_before: datetime


class StatementEntryFilters(CreatedFilters, total=False):
    currencies: Texts
    kinds: Texts


class MemberEventFilters(CreatedFilters, total=False):
    subject_id: Id
    types: Texts


class EventFilters(CreatedFilters, total=False):
    enterprise_id: Id
    subject_id: Id
    types: Texts


class DeliveryFilters(CreatedFilters, total=False):
    statuses: Sequence[Literal["owed", "delivered", "dropped"]]
    event_ids: Ids


class AttemptFilters(CreatedFilters, total=False):
    succeeded: bool
    event_ids: Ids


class ApprovalFilters(CreatedFilters, total=False):
    pending_approval_ids: Ids
    types: Sequence[Literal["allocation", "threshold", "daily_threshold", "custodian_limit"]]
    statuses: Sequence[Literal["pending", "approved", "rejected"]]
    currencies: Texts
    allocation_ids: Ids


class ChainFilters(CreatedFilters, total=False):
    partner_ids: Ids
    transfer_ids: Ids
    kinds: Sequence[Literal["payment", "deposit"]]
    states: Sequence[Literal["pending", "confirmed", "failed"]]


class KeptDepositFilters(CreatedFilters, total=False):
    partner_ids: Ids
    settlement_ids: Ids
    statuses: Sequence[Literal["pending", "confirmed", "spent", "released", "failed"]]


class OwnCallFilters(CreatedFilters, total=False):
    subject_ids: Ids
    owed: bool


class PartnerCallFilters(OwnCallFilters, total=False):
    partner_ids: Ids


class PauseFilters(CreatedFilters, total=False):
    kinds: Sequence[Literal["network", "partner", "client", "currency", "account"]]
    standing: bool


class SignedRequestFilters(PageFilters, total=False):
    operations: Texts
    subject_ids: Ids
    nonces: Texts
    received_on_or_after: datetime
    received_before: datetime


class OperatorSignedRequestFilters(SignedRequestFilters, total=False):
    enterprise_id: str


class ProposalFilters(CreatedFilters, total=False):
    statuses: Sequence[Literal["pending", "carried_out", "rejected", "withdrawn", "expired"]]
    acts: Texts
    subject_ids: Texts
    enterprise_ids: Texts
    proposed_by: Ids
