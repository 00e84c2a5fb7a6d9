"""Settlement transfers as the wire shows them, to the partner and inside a dispute closure."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from clearwindow.clock import wire_time
from clearwindow.http.wire import WireModel, present
from clearwindow.transfers.values import Transfer


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
    destination_trading_account_id: str
    destination_network_account_id: str


class DisputedTransferOutput(WireModel):
    """A transfer that a dispute closure made."""

    id: str
    source_trading_account_id: str
    destination_trading_account_id: str
    destination_network_account_id: str
    dispute_closure_id: str
    currency: str
    quantity: str
    status: str
    created_at: str
    updated_at: str
    settlement_id: str | None = None


def settlement_transfer(
    transfer: Transfer, partner_account: UUID, client_account: UUID
) -> SettlementTransferOutput:
    return SettlementTransferOutput.model_validate(
        present(
            id=str(transfer.id),
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            currency=transfer.currency,
            settlement_id=str(transfer.settlement_id),
            dispute_closure_id=_text(transfer.dispute_closure_id),
            quantity=str(transfer.quantity),
            tx_ids=transfer.tx_ids,
            status=transfer.status,
            source_trading_account_id=partner_account.hex,
            destination_trading_account_id=client_account.hex,
            destination_network_account_id=str(transfer.network_account_id),
        )
    )


def disputed_transfer(transfer: Transfer, partner_account: UUID, client_account: UUID) -> DisputedTransferOutput:
    return DisputedTransferOutput.model_validate(
        present(
            id=str(transfer.id),
            source_trading_account_id=partner_account.hex,
            destination_trading_account_id=client_account.hex,
            destination_network_account_id=str(transfer.network_account_id),
            dispute_closure_id=str(transfer.dispute_closure_id),
            currency=transfer.currency,
            quantity=str(transfer.quantity),
            status=transfer.status,
            created_at=wire_time(transfer.created_at),
            updated_at=wire_time(transfer.updated_at),
            settlement_id=_text(transfer.settlement_id),
        )
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
