"""The simulated chain and the partners' deposits as operators see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clearwindow.clock import wire_time
from clearwindow.http.filters import Many, Page, Uuids
from clearwindow.http.wire import LongText, RequestModel, ShortText, WireModel, present
from clearwindow.ids import WireUuid
from clearwindow.money import PositiveBaseUnits
from clearwindow.onchain.simulated import ChainTransaction
from clearwindow.onchain.values import Deposit


class ChainFilters(Page):
    partner_ids: Uuids = None
    transfer_ids: Uuids = None
    kinds: Many[Literal["payment", "deposit"]] = None
    states: Many[Literal["pending", "confirmed", "failed"]] = None


class OnchainDepositFilters(Page):
    partner_ids: Uuids = None
    settlement_ids: Uuids = None
    statuses: Many[Literal["pending", "confirmed", "spent", "released", "failed"]] = None


class ChainDepositRequest(RequestModel):
    """A transaction that a partner sends to its deposit address; our currency name, base units."""

    partner_id: WireUuid
    currency: ShortText
    quantity: PositiveBaseUnits
    tx_id: ShortText
    withheld: Annotated[bool, Field(description="It confirms only when the chain is told to.")] = False


class ChainFailRequest(RequestModel):
    reason: LongText = "dropped by the simulated chain"


class ChainTransactionOutput(WireModel):
    """A transaction on the simulated chain; a payment names the transfer that it carries."""

    id: str
    kind: str
    partner_id: str
    tx_id: str
    payment_id: str | None = None
    transfer_id: str | None = None
    rt_id: str | None = None
    currency: str
    quantity: str
    state: Annotated[str, Field(description="pending, confirmed or failed; the last two are final")]
    withheld: bool
    failure: str | None = None
    confirms_at: str
    created_at: str
    updated_at: str


class ChainTransactionAnswer(WireModel):
    transaction: ChainTransactionOutput


class ChainTransactionsAnswer(WireModel):
    transactions: list[ChainTransactionOutput]


class OnchainDepositOutput(WireModel):
    """A deposit as the network keeps it."""

    id: str
    partner_id: str
    settlement_id: str
    external_settlement_id: str
    currency: str
    tx_id: str
    status: Annotated[
        str,
        Field(
            description="pending: not confirmed yet; confirmed: held for its settlement; spent: part of what the"
            " gains are paid from; released: the partner's to use; failed: the chain gave it up"
        ),
    ]
    quantity: str | None = None
    failure: str | None = None
    due_at: str | None = None
    attempts: int
    last_error: str | None = None
    created_at: str
    updated_at: str


class OnchainDepositsAnswer(WireModel):
    deposits: list[OnchainDepositOutput]


class OnchainDepositAnswer(WireModel):
    deposit: OnchainDepositOutput


def chain_transaction(found: ChainTransaction) -> ChainTransactionOutput:
    return ChainTransactionOutput.model_validate(
        present(
            id=str(found.id),
            kind=found.kind,
            partner_id=str(found.partner_id),
            tx_id=found.tx_id,
            payment_id=str(found.payment_id) if found.payment_id else None,
            transfer_id=str(found.transfer_id) if found.transfer_id else None,
            rt_id=found.route_id,
            currency=found.currency,
            quantity=str(found.quantity),
            state=str(found.state),
            withheld=found.withheld,
            failure=found.failure,
            confirms_at=wire_time(found.confirms_at),
            created_at=wire_time(found.created_at),
            updated_at=wire_time(found.updated_at),
        )
    )


def onchain_deposit(deposit: Deposit) -> OnchainDepositOutput:
    return OnchainDepositOutput.model_validate(
        present(
            id=str(deposit.id),
            partner_id=str(deposit.partner_id),
            settlement_id=str(deposit.settlement_id),
            external_settlement_id=deposit.external_settlement_id,
            currency=deposit.currency,
            tx_id=deposit.on_chain_tx_id,
            status=str(deposit.status),
            quantity=None if deposit.quantity is None else str(deposit.quantity),
            failure=deposit.failure,
            due_at=wire_time(deposit.due_at) if deposit.due_at else None,
            attempts=deposit.attempts,
            last_error=deposit.last_error,
            created_at=wire_time(deposit.created_at),
            updated_at=wire_time(deposit.updated_at),
        )
    )
