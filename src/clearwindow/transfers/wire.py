"""Settlement transfers as the wire shows them, to the partner and inside a dispute closure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import Field

from clearwindow.clock import wire_time
from clearwindow.http.wire import WireModel, present
from clearwindow.transfers.values import Transfer

TradingAccounts = tuple[UUID, Mapping[UUID, UUID]]
"""The partner's Go Account, and the clients' by connection: of those connections that the reader may know."""


class SettlementTransferOutput(WireModel):
    """A transfer as its partner sees it; a negative quantity moves from the destination to the source."""

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
    """A transfer that a dispute closure made."""

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


def settlement_transfer(transfer: Transfer, trading_accounts: TradingAccounts) -> SettlementTransferOutput:
    return SettlementTransferOutput.model_validate(
        _sides(transfer, trading_accounts)
        | present(
            id=str(transfer.id),
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            currency=transfer.currency,
            settlement_id=str(transfer.settlement_id),
            dispute_closure_id=_text(transfer.dispute_closure_id),
            quantity=str(transfer.quantity),
            tx_ids=transfer.tx_ids,
            status=transfer.status,
        )
    )


def disputed_transfer(transfer: Transfer, trading_accounts: TradingAccounts) -> DisputedTransferOutput:
    return DisputedTransferOutput.model_validate(
        _sides(transfer, trading_accounts)
        | present(
            id=str(transfer.id),
            dispute_closure_id=str(transfer.dispute_closure_id),
            currency=transfer.currency,
            quantity=str(transfer.quantity),
            status=transfer.status,
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            settlement_id=_text(transfer.settlement_id),
        )
    )


def _sides(transfer: Transfer, trading_accounts: TradingAccounts) -> dict[str, object]:
    partner, clients = trading_accounts
    source = transfer.counterparty_connection_id
    # A client is shown no account of another client: for it, the broker is the source.
    source_account = partner if source is None else clients.get(source, partner)
    shown = source is not None and source in clients
    return present(
        source_trading_account_id=source_account.hex,
        source_network_account_id=_text(transfer.counterparty_account_id) if shown else None,
        destination_trading_account_id=clients[transfer.connection_id].hex,
        destination_network_account_id=str(transfer.network_account_id),
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
