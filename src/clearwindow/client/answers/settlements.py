"""Settlements, their transfers, and deposits on a chain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import BaseUnits, Exact, OpenText, Value
from clearwindow.client.answers.disputes import Dispute, TransferStatus

SettlementStatus = Annotated[Literal["pending", "failed", "completed", "rejected"], OpenText]
SettlementType = Annotated[Literal["onchain", "offchain"], OpenText]
TransferDirection = Annotated[Literal["send", "receive", "send-and-receive"], OpenText]


class Settlement(Value):
    """A signed instruction of a partner; ``reason`` if it failed or was rejected, ``finalized_at`` at its end.

    ``stage`` is the part of its life: dispute_window, top_up_window, onchain, failed, completed or rejected.
    """

    id: str
    partner_id: str
    external_id: str
    status: SettlementStatus
    settlement_type: SettlementType
    reconciled: bool
    initiated_by: str
    notes: str | None = None
    reason: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    finalized_at: AwareDatetime | None = None
    rt_id: str | None = None
    loss_sla_alert_sent: Annotated[bool, Field(alias="lossSLAAlertSent")]
    gain_sla_alert_sent: Annotated[bool, Field(alias="gainSLAAlertSent")]
    cutoff_at: AwareDatetime | None = None
    disputed: bool | None = None
    stage: str | None = None
    dispute_deadline_at: AwareDatetime | None = None
    top_up_deadline_at: AwareDatetime | None = None
    withdrawn_at: AwareDatetime | None = None
    withdrawn_reason: str | None = None
    paused_since: AwareDatetime | None = None


class StagedSettlement(Settlement):
    """A settlement as staging returns it, with the closed disputes that it settles."""

    settling_disputes: tuple[Dispute, ...]


class PreviewRefusal(Value):
    """Why staging would refuse a settlement: the error as it would answer it."""

    status: int
    name: str
    error: str
    documentation: str
    details: dict[str, Any] | None = None


class PreviewedBalance(Value):
    """What a connection would gain and lose of one currency, what would be held, and what it has for that."""

    connection_id: str
    currency: str
    partner_currency: str | None = None
    gained: BaseUnits
    lost: BaseUnits
    from_closures: BaseUnits
    liability: BaseUnits
    available: BaseUnits
    shortfall: BaseUnits


class PreviewedPartnerFunds(Value):
    """What the partner's own account would do when the settlement executes.

    ``needed`` is what it must have then if nobody disputes, ``needed_at_most`` if everybody does who loses to it.
    """

    change: BaseUnits
    needed: BaseUnits
    needed_at_most: BaseUnits
    available: BaseUnits
    shortfall: BaseUnits


class PreviewedCurrency(Value):
    """The sums of one currency over all connections. ``decimals`` is of the currency, None if it is unmapped."""

    currency: str
    partner_currency: str | None = None
    decimals: int | None = None
    balance_count: int
    gained: BaseUnits
    lost: BaseUnits
    from_closures: BaseUnits
    liability: BaseUnits
    shortfall: BaseUnits
    shortfall_count: int
    partner: PreviewedPartnerFunds


class SettlementPreview(Value):
    """What staging would do. ``balances`` is a page, those that are short first; ``meta.total`` is their number."""

    accepted: bool
    refusals: tuple[PreviewRefusal, ...]
    repeats_settlement_id: str | None = None
    warnings: tuple[str, ...]
    previewed_at: AwareDatetime
    dispute_deadline_at: AwareDatetime
    top_up_deadline_at: AwareDatetime
    execute_when_funded: bool
    amount_count: int
    settling_disputes: tuple[Dispute, ...]
    currencies: tuple[PreviewedCurrency, ...]
    balances: tuple[PreviewedBalance, ...]


class ClientSettlement(Settlement):
    """A settlement in a client's list."""

    transfer_direction: TransferDirection


class OperatorSettlement(Settlement):
    """A settlement with the last error of the worker."""

    stage: str
    due_at: AwareDatetime | None = None
    attempts: int
    last_error: str | None = None


class SettlementTransfer(Value):
    """One movement of one currency. A negative quantity moves from the destination to the source."""

    id: str
    settlement_id: str
    dispute_closure_id: str | None = None
    currency: str
    quantity: BaseUnits
    status: TransferStatus
    tx_ids: tuple[str, ...]
    source_trading_account_id: str
    source_network_account_id: str | None = None
    destination_trading_account_id: str
    destination_network_account_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class ClientTransfer(Value):
    """A transfer as its client sees it, without the name of the other side."""

    id: str
    settlement_id: str
    dispute_closure_id: str | None = None
    currency: str
    quantity: BaseUnits
    status: TransferStatus
    tx_ids: tuple[str, ...]
    usd_value: Exact | None = None
    source_trading_account_id: str | None = None
    source_network_account_id: str | None = None
    destination_trading_account_id: str | None = None
    destination_network_account_id: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    settlement_status: SettlementStatus
    settlement_notes: str | None = None
    source_client_name: str | None = None
    destination_client_name: str | None = None
    source_connection_name: str | None = None
    destination_connection_name: str | None = None


class SettlementDetail(Value):
    """One settlement with a page of its transfers; ``meta.total`` is their number."""

    settlement: Settlement
    settlement_transfers: tuple[SettlementTransfer, ...]
    settling_disputes: tuple[Dispute, ...]
    settlement_disputes: tuple[Dispute, ...]


class ClientSettlementDetail(Value):
    """One settlement as a client sees it, with its own transfers and disputes only."""

    settlement: Settlement
    settlement_transfers: tuple[ClientTransfer, ...]
    settling_disputes: tuple[Dispute, ...]
    settlement_disputes: tuple[Dispute, ...]


class OperatorSettlementDetail(Value):
    """One settlement as an operator sees it."""

    settlement: OperatorSettlement
    settlement_transfers: tuple[SettlementTransfer, ...]
    settling_disputes: tuple[Dispute, ...]
    settlement_disputes: tuple[Dispute, ...]


class OnchainDeposit(Value):
    """A transaction on a chain that a partner named for a settlement."""

    id: str
    settlement_id: str
    external_settlement_id: str
    on_chain_tx_id: str
    transfer_id: str | None = None
    currency: str
    quantity: Exact | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
