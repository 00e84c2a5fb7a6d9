"""On-chain settlements and deposits on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from clearwindow.api.schema import KeyText, LongText, Omittable, RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import UuidText, WireUuid
from clearwindow.core.money import SignedBaseUnits
from clearwindow.core.text import present
from clearwindow.settlements.models import Instruction, Settlement
from clearwindow.settlements.onchain.models import Deposit, NewDeposits
from clearwindow.settlements.schemas import SettlementOutput, settlement_output
from clearwindow.signing.schemas import Intended, Signed

MAX_DEPOSITS: Final = 1_000
_EXACT_BELOW: Final = 2**53
_Text = Annotated[str, StringConstraints(min_length=1)]

BaseUnitAmounts = dict[UuidText, dict[ShortText, SignedBaseUnits]]
"""``{connectionId: {currency: amount}}`` in the partner's names and in base units. + the connection gains."""


class OnchainSettlementRequest(Signed):
    """One signed instruction of a partner that settles on chain."""

    external_id: KeyText
    notes: Omittable[LongText] = None
    settlement_amounts: Annotated[BaseUnitAmounts, Field(min_length=1)]

    def to_model(self) -> Instruction:
        return Instruction(self.external_id, self.notes, self.settlement_amounts)


class OnchainSettlementAnswer(WireModel):
    settlement: SettlementOutput


class GivenDeposit(RequestModel):
    """One currency that one transaction brought, with the partner's name of it."""

    currency: ShortText
    on_chain_tx_id: ShortText


class DepositFields(Intended):
    """The fields of deposits that are signed. There is no nonce: each transaction counts once."""

    external_settlement_id: KeyText
    settlement_id: Omittable[WireUuid] = None
    deposits: Annotated[list[GivenDeposit], Field(min_length=1, max_length=MAX_DEPOSITS)]


class DepositsRequest(DepositFields):
    payload: _Text
    signature: _Text

    def to_model(self) -> NewDeposits:
        transactions = [(given.currency, given.on_chain_tx_id) for given in self.deposits]
        return NewDeposits(self.external_settlement_id, self.settlement_id, transactions)


class DepositOutput(WireModel):
    """A deposit. It has a ``quantity`` once it is confirmed, if a JSON number holds that exactly."""

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


def answer_text(settlement: Settlement) -> str:
    """Returns the JSON text of the answer to an on-chain settlement."""
    answer = OnchainSettlementAnswer(settlement=settlement_output(settlement, disputed=False))
    return answer.model_dump_json(by_alias=True, exclude_unset=True)


def deposits_answer(deposits: Sequence[Deposit]) -> DepositsAnswer:
    return DepositsAnswer(deposits=[_deposit(deposit) for deposit in deposits])


def _deposit(deposit: Deposit) -> DepositOutput:
    exact = deposit.quantity is not None and deposit.quantity < _EXACT_BELOW
    return DepositOutput.model_validate(
        present(
            id=str(deposit.id),
            external_settlement_id=deposit.external_settlement_id,
            settlement_id=str(deposit.settlement_id),
            currency=deposit.partner_currency,
            on_chain_tx_id=deposit.on_chain_tx_id,
            transfer_id=str(deposit.entry_id) if deposit.entry_id else None,
            quantity=deposit.quantity if exact else None,
            created_at=wire_time(deposit.created_at),
            updated_at=wire_time(deposit.updated_at),
        )
    )
