"""The simulated chain and the deposits of partners, as operators see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import BaseUnits, OpenText, Value

TransactionKind = Annotated[Literal["payment", "deposit"], OpenText]
TransactionState = Annotated[Literal["pending", "confirmed", "failed"], OpenText]
DepositStatus = Annotated[Literal["pending", "confirmed", "spent", "released", "failed"], OpenText]


class ChainTransaction(Value):
    """A transaction on the simulated chain. A payment names the transfer that it pays."""

    id: str
    kind: TransactionKind
    partner_id: str
    tx_id: str
    payment_id: str | None = None
    transfer_id: str | None = None
    rt_id: str | None = None
    currency: str
    quantity: BaseUnits
    state: TransactionState
    withheld: bool
    failure: str | None = None
    confirms_at: AwareDatetime
    created_at: AwareDatetime
    updated_at: AwareDatetime


class KeptDeposit(Value):
    """A deposit for an on-chain settlement."""

    id: str
    partner_id: str
    settlement_id: str
    external_settlement_id: str
    currency: str
    tx_id: str
    status: DepositStatus
    quantity: BaseUnits | None = None
    failure: str | None = None
    due_at: AwareDatetime | None = None
    attempts: int
    last_error: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
