"""Settlements on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from clearwindow.clock import wire_time
from clearwindow.disputes.wire import DisputeWithClosureOutput
from clearwindow.http.wire import LongText, ShortText, WireModel, WireMoment, present
from clearwindow.ids import UuidText
from clearwindow.money import SignedDecimal
from clearwindow.settlements import rules
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing.wire import Signed, ToSign
from clearwindow.transfers.wire import SettlementTransferOutput

FlatAmounts = dict[UuidText, dict[ShortText, SignedDecimal]]
"""``{connectionId: {currency: amount}}`` in the partner's own names and unit; + the connection gains."""


def _flat(amounts: object) -> object:
    if isinstance(amounts, dict) and any(
        isinstance(amount, dict)
        for given in amounts.values()
        if isinstance(given, dict)
        for amount in given.values()
    ):
        raise ValueError(
            "amounts between two connections are not supported: send {connectionId: {currency: amount}},"
            " each as the connection's gain or loss"
        )
    return amounts


class SettlementFields(ToSign):
    """What a settlement says, before it is signed."""

    external_id: ShortText
    notes: LongText | None = None
    settlement_amounts: Annotated[FlatAmounts, Field(min_length=1), BeforeValidator(_flat)]


class SettlementSigningRequest(SettlementFields):
    cutoff_at: WireMoment | None = None


class StageSettlementRequest(SettlementFields, Signed):
    """One signed instruction of a partner. Protocol §5."""

    cutoff_at: WireMoment


class SettlementOutput(WireModel):
    """A settlement; ``reason`` while failed or rejected, ``finalizedAt`` once ended."""

    id: str
    partner_id: str
    external_id: str
    status: str
    settlement_type: str
    reconciled: bool
    initiated_by: str
    notes: str | None = None
    created_at: str
    updated_at: str
    finalized_at: str | None = None
    reason: str | None = None
    rt_id: str | None = None
    loss_sla_alert_sent: Annotated[bool, Field(alias="lossSLAAlertSent")]
    gain_sla_alert_sent: Annotated[bool, Field(alias="gainSLAAlertSent")]
    cutoff_at: str | None = None
    disputed: bool | None = None


class StagedSettlementOutput(SettlementOutput):
    settling_disputes: list[DisputeWithClosureOutput]


class StagedSettlementAnswer(WireModel):
    settlement: StagedSettlementOutput


class SettlementsAnswer(WireModel):
    settlements: list[SettlementOutput]


class SettlementAnswer(WireModel):
    """One settlement as its partner sees it."""

    settlement: SettlementOutput
    settlement_transfers: list[SettlementTransferOutput]
    settling_disputes: list[DisputeWithClosureOutput]
    settlement_disputes: list[DisputeWithClosureOutput]


class ClientSettlementOutput(SettlementOutput):
    transfer_direction: str


class ClientSettlementsAnswer(WireModel):
    settlements: list[ClientSettlementOutput]


class MaskedTransferOutput(WireModel):
    """A transfer as its client sees it: the other side stays unnamed."""

    id: str
    destination_trading_account_id: str
    destination_network_account_id: str
    destination_connection_name: str
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


class ClientSettlementAnswer(WireModel):
    """One settlement as a client sees it: its own transfers and disputes only."""

    settlement: SettlementOutput
    settlement_transfers: list[MaskedTransferOutput]
    settling_disputes: list[DisputeWithClosureOutput]
    settlement_disputes: list[DisputeWithClosureOutput]


CLIENT_SIDE_REASON = "the partner's account does not cover the settlement yet"
CLIENT_SIDE_ONCHAIN_REASON = "a transaction of the settlement failed on the chain and waits to be sent again"


def settlement_fields(settlement: Settlement, *, disputed: bool) -> dict[str, object]:
    ended = settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED)
    return present(
        id=str(settlement.id),
        partner_id=str(settlement.partner_id),
        external_id=settlement.external_id,
        status=rules.wire_status(settlement.state),
        settlement_type=settlement.settlement_type.value,
        reconciled=False,
        initiated_by=settlement.initiated_by,
        notes=settlement.notes,
        created_at=wire_time(settlement.created_at),
        updated_at=wire_time(settlement.updated_at),
        finalized_at=wire_time(settlement.finalized_at) if ended and settlement.finalized_at else None,
        reason=settlement.reason,
        rt_id=settlement.rt_id,
        loss_sla_alert_sent=settlement.loss_sla_alert_sent,
        gain_sla_alert_sent=settlement.gain_sla_alert_sent,
        cutoff_at=wire_time(settlement.cutoff_at) if settlement.cutoff_at else None,
        disputed=disputed,
    )


def settlement_output(settlement: Settlement, *, disputed: bool) -> SettlementOutput:
    return SettlementOutput.model_validate(settlement_fields(settlement, disputed=disputed))


def client_fields(settlement: Settlement, *, disputed: bool) -> dict[str, object]:
    """The same for a client: why a settlement failed is the partner's own affair."""
    fields = settlement_fields(settlement, disputed=disputed)
    if settlement.state is SettlementState.FAILED:
        onchain = settlement.settlement_type is SettlementType.ONCHAIN
        fields["reason"] = CLIENT_SIDE_ONCHAIN_REASON if onchain else CLIENT_SIDE_REASON
    return fields
