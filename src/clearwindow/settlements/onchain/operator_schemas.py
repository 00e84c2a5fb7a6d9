"""The simulated chain and the partners' deposits, as operators see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from clearwindow.api.filters import CreatedPage, Many, Uuids
from clearwindow.api.schema import LongText, RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireUuid
from clearwindow.core.money import PositiveBaseUnits
from clearwindow.core.text import present
from clearwindow.settlements.onchain.models import (
    ChainDeposit,
    ChainFilter,
    ChainTransaction,
    Deposit,
    DepositFilter,
)


class ChainFilters(CreatedPage):
    partner_ids: Uuids = None
    transfer_ids: Uuids = None
    kinds: Many[Literal["payment", "deposit"]] = None
    states: Many[Literal["pending", "confirmed", "failed"]] = None

    def to_model(self) -> ChainFilter:
        return ChainFilter(
            self.partner_ids,
            self.transfer_ids,
            self.kinds,
            self.states,
            self.created_on_or_after,
            self.created_before,
            self.slice,
        )


class OnchainDepositFilters(CreatedPage):
    partner_ids: Uuids = None
    settlement_ids: Uuids = None
    statuses: Many[Literal["pending", "confirmed", "spent", "released", "failed"]] = None

    def to_model(self) -> DepositFilter:
        return DepositFilter(
            self.partner_ids,
            self.settlement_ids,
            self.statuses,
            self.created_on_or_after,
            self.created_before,
            self.slice,
        )


class ChainDepositRequest(RequestModel):
    """A transaction that a partner sends to its deposit address: our currency name, base units."""

    partner_id: WireUuid
    currency: ShortText
    quantity: PositiveBaseUnits
    tx_id: ShortText
    withheld: Annotated[bool, Field(description="Whether it confirms only when an operator confirms it.")] = False

    def to_model(self) -> ChainDeposit:
        return ChainDeposit(self.partner_id, self.currency, int(self.quantity), self.tx_id, self.withheld)


class ChainFailRequest(RequestModel):
    reason: LongText = "dropped by the simulated chain"


class ChainTransactionOutput(WireModel):
    """A transaction on the simulated chain. A payment names its transfer."""

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
    """A deposit of a partner for an on-chain settlement."""

    id: str
    partner_id: str
    settlement_id: str
    external_settlement_id: str
    currency: str
    tx_id: str
    status: Annotated[
        str,
        Field(
            description="pending: not confirmed yet; confirmed: held for its settlement; spent: the gains are paid"
            " from it; released: available to the partner; failed: the transaction failed on the chain"
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


def chain_transaction_answer(found: ChainTransaction) -> ChainTransactionAnswer:
    return ChainTransactionAnswer(transaction=_chain_transaction(found))


def chain_transactions_answer(found: Sequence[ChainTransaction]) -> ChainTransactionsAnswer:
    return ChainTransactionsAnswer(transactions=[_chain_transaction(one) for one in found])


def onchain_deposit_answer(deposit: Deposit) -> OnchainDepositAnswer:
    return OnchainDepositAnswer(deposit=_onchain_deposit(deposit))


def onchain_deposits_answer(deposits: Sequence[Deposit]) -> OnchainDepositsAnswer:
    return OnchainDepositsAnswer(deposits=[_onchain_deposit(deposit) for deposit in deposits])


def _chain_transaction(found: ChainTransaction) -> ChainTransactionOutput:
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


def _onchain_deposit(deposit: Deposit) -> OnchainDepositOutput:
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
