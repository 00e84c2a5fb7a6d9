"""The filters that lists of settlements and of transfers take."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, StringConstraints

from clearwindow.http.filters import Flag, Many, Moment, Page, Texts, Uuids
from clearwindow.ids import parse_go_account_id
from clearwindow.money import canonical_currency
from clearwindow.settlements.reading import WantedTransfers
from clearwindow.settlements.values import SettlementFilter, SettlementState
from clearwindow.transfers.values import TransferSearch, TransferStatus

_STATES_OF: dict[str, tuple[SettlementState, ...]] = {
    "pending": (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW, SettlementState.ONCHAIN),
    "failed": (SettlementState.FAILED,),
    "completed": (SettlementState.COMPLETED,),
    "rejected": (SettlementState.REJECTED,),
}
WireStatus = Annotated[str, StringConstraints(pattern="^(pending|failed|completed|rejected)$")]


def _go_account(value: object) -> UUID:
    account_id = parse_go_account_id(value) if isinstance(value, str) else None
    if account_id is None:
        raise ValueError("must be the 32 hexadecimal digits of a trading account")
    return account_id


TradingAccounts: TypeAlias = Many[Annotated[UUID, BeforeValidator(_go_account)]]
Statuses: TypeAlias = Many[WireStatus]
TransferStatuses: TypeAlias = Many[Annotated[str, StringConstraints(pattern=f"^({'|'.join(TransferStatus)})$")]]


def states_of(statuses: list[str] | None) -> list[SettlementState] | None:
    return None if statuses is None else [state for status in statuses for state in _STATES_OF[status]]


class SettlementFilters(Page):
    settlement_ids: Uuids = None
    only_show_disputed: Flag = None
    partner_ids: Uuids = None
    party_connection_ids: Uuids = None
    counterparty_connection_ids: Uuids = None

    def wanted(self) -> SettlementFilter:
        return SettlementFilter(
            partner_ids=self.partner_ids,
            party_connection_ids=self.party_connection_ids,
            counterparty_connection_ids=self.counterparty_connection_ids,
            settlement_ids=self.settlement_ids,
            only_disputed=bool(self.only_show_disputed),
            limit=self.limit,
            offset=self.offset,
        )


class PartnerSettlementFilters(SettlementFilters):
    external_ids: Texts = None
    created_on_or_after: Moment = None
    created_before: Moment = None
    updated_on_or_after: Moment = None
    updated_before: Moment = None

    def wanted(self) -> SettlementFilter:
        return replace(
            super().wanted(),
            external_ids=self.external_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            updated_on_or_after=self.updated_on_or_after,
            updated_before=self.updated_before,
        )


class ClientSettlementFilters(SettlementFilters):
    statuses: Statuses = None

    def wanted(self) -> SettlementFilter:
        return replace(super().wanted(), states=states_of(self.statuses))


class TransferFilters(Page):
    currencies: Texts = None

    def wanted(self) -> WantedTransfers:
        return WantedTransfers(currencies=_ours(self.currencies), limit=self.limit, offset=self.offset)


class ClientTransferFilters(TransferFilters):
    """``settlementUpdated…``: when the settlement last changed, which is also what transfers are sorted by."""

    initiated_by: Texts = None
    partner_ids: Uuids = None
    settlement_ids: Uuids = None
    settlement_statuses: Statuses = None
    settlement_transfer_statuses: TransferStatuses = None
    settlement_updated_before: Moment = None
    settlement_updated_on_or_after: Moment = None
    sort_field: Literal["updatedAt"] = "updatedAt"
    sort_direction: Literal["ASC", "DESC"] = "DESC"

    def search(self) -> TransferSearch:
        return TransferSearch(
            partner_ids=self.partner_ids,
            settlement_ids=self.settlement_ids,
            settlement_states=states_of(self.settlement_statuses),
            initiated_by=self.initiated_by,
            settlement_updated_on_or_after=self.settlement_updated_on_or_after,
            settlement_updated_before=self.settlement_updated_before,
            currencies=_ours(self.currencies),
            statuses=self.settlement_transfer_statuses,
            ascending=self.sort_direction == "ASC",
            limit=self.limit,
            offset=self.offset,
        )


class PartnerTransferFilters(TransferFilters):
    source_network_account_ids: Uuids = None
    source_trading_account_ids: TradingAccounts = None
    destination_network_account_ids: Uuids = None
    destination_trading_account_ids: TradingAccounts = None

    def wanted(self) -> WantedTransfers:
        return WantedTransfers(
            source_network_account_ids=self.source_network_account_ids,
            destination_network_account_ids=self.destination_network_account_ids,
            source_trading_account_ids=self.source_trading_account_ids,
            destination_trading_account_ids=self.destination_trading_account_ids,
            currencies=_ours(self.currencies),
            limit=self.limit,
            offset=self.offset,
        )


def _ours(currencies: list[str] | None) -> list[str] | None:
    return None if currencies is None else [canonical_currency(name) for name in currencies]
