"""On-chain settlements and deposits on the network's wire."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from clearwindow.clock import wire_time
from clearwindow.http.wire import LongText, RequestModel, ShortText, WireModel, present
from clearwindow.ids import UuidText, WireUuid
from clearwindow.money import SignedBaseUnits
from clearwindow.onchain.values import Deposit
from clearwindow.settlements.wire import SettlementOutput
from clearwindow.signing.wire import Signed

MAX_DEPOSITS: Final = 1_000
_EXACT_BELOW: Final = 2**53
_Text = Annotated[str, StringConstraints(min_length=1)]

BaseUnitAmounts = dict[UuidText, dict[ShortText, SignedBaseUnits]]
"""``{connectionId: {currency: amount}}`` in the partner's names and in base units; + the connection gains."""


class OnchainSettlementRequest(Signed):
    """One signed instruction of a partner that settles on chain."""

    external_id: ShortText
    notes: LongText | None = None
    settlement_amounts: Annotated[BaseUnitAmounts, Field(min_length=1)]


class OnchainSettlementAnswer(WireModel):
    settlement: SettlementOutput


class GivenDeposit(RequestModel):
    """One currency that one transaction brought, by the partner's name of it."""

    currency: ShortText
    on_chain_tx_id: ShortText


class DepositFields(RequestModel):
    """What is said of deposits, before it is signed; it has no nonce: the transactions say what it is."""

    external_settlement_id: ShortText
    settlement_id: WireUuid | None = None
    deposits: Annotated[list[GivenDeposit], Field(min_length=1, max_length=MAX_DEPOSITS)]
    enterprise_id: ShortText | None = None


class DepositsRequest(DepositFields):
    payload: _Text
    signature: _Text


class DepositOutput(WireModel):
    """A deposit; ``quantity`` once the chain has confirmed it, where a JSON number carries it exactly."""

    id: str
    external_settlement_id: str
    settlement_id: str
    currency: str
    on_chain_tx_id: str
    transfer_id: Annotated[
        str | None, Field(description="The journal entry that credited it, once the chain has confirmed it.")
    ] = None
    quantity: int | None = None
    created_at: str
    updated_at: str


class DepositsAnswer(WireModel):
    deposits: list[DepositOutput]


def deposit_output(deposit: Deposit) -> DepositOutput:
    exact = deposit.quantity is not None and deposit.quantity < _EXACT_BELOW
    return DepositOutput.model_validate(
        present(
            id=str(deposit.id),
            external_settlement_id=deposit.external_settlement_id,
            settlement_id=str(deposit.settlement_id),
            currency=deposit.partner_currency,
            on_chain_tx_id=deposit.on_chain_tx_id,
            transfer_id=str(deposit.entry_id) if deposit.entry_id else None,
            quantity=int(deposit.quantity) if exact and deposit.quantity is not None else None,
            created_at=wire_time(deposit.created_at),
            updated_at=wire_time(deposit.updated_at),
        )
    )
