"""Transfers on the wire: for a partner, for a client, in dispute closures; and the filters of their lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from clearwindow.api.filters import CursorPage, Many, Page, Texts, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import NIL, parse_go_account_id
from clearwindow.core.money import canonical_currency
from clearwindow.core.text import present
from clearwindow.network.models import Client, Connection
from clearwindow.settlements.transfers.models import TradingAccounts, Transfer, TransferStatus, WantedTransfers


def _go_account(value: object) -> UUID:
    account_id = parse_go_account_id(value) if isinstance(value, str) else None
    if account_id is None:
        raise ValueError("must be the 32 hexadecimal digits of a trading account")
    return account_id


TradingAccountIds: TypeAlias = Many[Annotated[UUID, BeforeValidator(_go_account)]]
TransferStatuses: TypeAlias = Many[Annotated[str, StringConstraints(pattern=f"^({'|'.join(TransferStatus)})$")]]


def our_currencies(names: list[str] | None) -> list[str] | None:
    """Returns our names of the currencies of a filter."""
    return None if names is None else [canonical_currency(name) for name in names]


class TransferFilters(Page):
    currencies: Texts = None

    def to_model(self) -> WantedTransfers:
        return WantedTransfers(currencies=our_currencies(self.currencies), limit=self.limit, offset=self.offset)


class PartnerTransferFilters(TransferFilters):
    source_network_account_ids: Uuids = None
    source_trading_account_ids: TradingAccountIds = None
    destination_network_account_ids: Uuids = None
    destination_trading_account_ids: TradingAccountIds = None

    def to_model(self) -> WantedTransfers:
        return WantedTransfers(
            source_network_account_ids=self.source_network_account_ids,
            destination_network_account_ids=self.destination_network_account_ids,
            source_trading_account_ids=self.source_trading_account_ids,
            destination_trading_account_ids=self.destination_trading_account_ids,
            currencies=our_currencies(self.currencies),
            limit=self.limit,
            offset=self.offset,
        )


class SettlementTransferOutput(WireModel):
    """A transfer as its partner sees it. A negative quantity moves from the destination to the source."""

    id: str
    created_at: str
    updated_at: str
    currency: str
    settlement_id: str
    dispute_closure_id: str | None = None
    quantity: Annotated[str, Field(description="Base units, signed, never zero.")]
    tx_ids: list[str]
    status: str
    source_trading_account_id: str
    source_network_account_id: str | None = None
    destination_trading_account_id: str
    destination_network_account_id: str


class DisputedTransferOutput(WireModel):
    """A transfer that a dispute closure created."""

    id: str
    source_trading_account_id: str
    source_network_account_id: str | None = None
    destination_trading_account_id: str
    destination_network_account_id: str
    dispute_closure_id: str
    currency: str
    quantity: str
    status: str
    created_at: str
    updated_at: str
    settlement_id: str | None = None


class MaskedTransferOutput(WireModel):
    """A transfer as its client sees it. The other side is not named."""

    id: str
    source_trading_account_id: str | None = None
    source_network_account_id: str | None = None
    source_client_name: str | None = None
    source_connection_name: str | None = None
    destination_trading_account_id: str | None = None
    destination_network_account_id: str | None = None
    destination_client_name: str | None = None
    destination_connection_name: str | None = None
    currency: str
    quantity: str
    tx_ids: list[str]
    status: str
    usd_value: str | None
    settlement_id: str
    dispute_closure_id: str | None = None
    created_at: str
    updated_at: str
    settlement_status: str
    settlement_notes: str | None = None


class WholeSettlementFilters(CursorPage):
    """Filters of all transfers of one settlement, sorted by connection."""

    currencies: Texts = None
    source_network_account_ids: Uuids = None
    source_trading_account_ids: TradingAccountIds = None
    destination_network_account_ids: Uuids = None
    destination_trading_account_ids: TradingAccountIds = None

    def to_model(self) -> WantedTransfers:
        return WantedTransfers(
            source_network_account_ids=self.source_network_account_ids,
            destination_network_account_ids=self.destination_network_account_ids,
            source_trading_account_ids=self.source_trading_account_ids,
            destination_trading_account_ids=self.destination_trading_account_ids,
            currencies=our_currencies(self.currencies),
        )


class SettlementTransfersAnswer(WireModel):
    settlement_transfers: list[SettlementTransferOutput]


class MaskedTransfersAnswer(WireModel):
    settlement_transfers: list[MaskedTransferOutput]


def settlement_transfer(transfer: Transfer, accounts: TradingAccounts) -> SettlementTransferOutput:
    return SettlementTransferOutput.model_validate(
        _sides(transfer, accounts)
        | present(
            id=str(transfer.id),
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            currency=transfer.currency,
            settlement_id=str(transfer.settlement_id),
            dispute_closure_id=_text(transfer.dispute_closure_id),
            quantity=str(transfer.quantity),
            tx_ids=transfer.tx_ids,
            status=transfer.status.value,
        )
    )


def settlement_transfers_answer(
    transfers: Sequence[Transfer], accounts: TradingAccounts
) -> SettlementTransfersAnswer:
    return SettlementTransfersAnswer(
        settlement_transfers=[settlement_transfer(transfer, accounts) for transfer in transfers]
    )


def disputed_transfer(transfer: Transfer, accounts: TradingAccounts) -> DisputedTransferOutput:
    return DisputedTransferOutput.model_validate(
        _sides(transfer, accounts)
        | present(
            id=str(transfer.id),
            dispute_closure_id=str(transfer.dispute_closure_id),
            currency=transfer.currency,
            quantity=str(transfer.quantity),
            status=transfer.status.value,
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            settlement_id=_text(transfer.settlement_id),
        )
    )


def masked_transfer(
    transfer: Transfer, status: str, notes: str | None, client: Client, own: Mapping[UUID, Connection]
) -> MaskedTransferOutput:
    """Returns a transfer as the client sees it.

    ``status`` and ``notes`` are those of its settlement, ``own`` the client's connections.
    """
    fields = present(
        id=str(transfer.id),
        **_own_side("source", own.get(transfer.counterparty_connection_id or NIL), client),
        **_own_side("destination", own.get(transfer.connection_id), client),
        currency=transfer.currency,
        quantity=str(transfer.quantity),
        tx_ids=transfer.tx_ids,
        status=transfer.status.value,
        settlement_id=_text(transfer.settlement_id),
        dispute_closure_id=_own_closure(transfer, own),
        created_at=wire_time(transfer.created_at),
        updated_at=wire_time(transfer.updated_at),
        settlement_status=status,
        settlement_notes=notes,
    )
    return MaskedTransferOutput.model_validate(fields | {"usd_value": None})


def _sides(transfer: Transfer, accounts: TradingAccounts) -> dict[str, object]:
    source = transfer.counterparty_connection_id
    # A client does not see another client's account: for it, the broker is the source.
    source_account = accounts.partner if source is None else accounts.clients.get(source, accounts.partner)
    shown = source is not None and source in accounts.clients
    return present(
        source_trading_account_id=source_account.hex,
        source_network_account_id=_text(transfer.counterparty_account_id) if shown else None,
        destination_trading_account_id=accounts.clients[transfer.connection_id].hex,
        destination_network_account_id=str(transfer.network_account_id),
    )


def _own_side(side: str, connection: Connection | None, client: Client) -> dict[str, object]:
    if connection is None:
        return {}
    return {
        f"{side}_trading_account_id": client.go_account_id.hex,
        f"{side}_network_account_id": str(connection.network_account_id),
        f"{side}_client_name": client.name,
        f"{side}_connection_name": connection.name,
    }


def _own_closure(transfer: Transfer, own: Mapping[UUID, Connection]) -> str | None:
    # A closure's transfers go to the connection that disputed. The other side does not see that dispute.
    if transfer.dispute_closure_id is None or transfer.connection_id not in own:
        return None
    return str(transfer.dispute_closure_id)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
