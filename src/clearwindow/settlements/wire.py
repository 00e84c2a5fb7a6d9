"""Settlements on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

from clearwindow.clock import wire_time
from clearwindow.disputes.wire import DisputeWithClosureOutput
from clearwindow.http.wire import LongText, ShortText, WireModel, WireMoment, present
from clearwindow.ids import UuidText
from clearwindow.money import SignedDecimal
from clearwindow.settlements import rules
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing.wire import Signed, ToSign
from clearwindow.transfers.wire import SettlementTransferOutput

Quantities = dict[ShortText, SignedDecimal]
FlatAmounts = Annotated[dict[UuidText, Quantities], Field(min_length=1)]
"""``{connectionId: {currency: amount}}`` in the partner's own names and unit; + the connection gains."""
NestedAmounts = Annotated[dict[UuidText, dict[UuidText, Quantities]], Field(min_length=1)]
"""``{sourceConnectionId: {destinationConnectionId: {currency: amount}}}``; + the destination gains; for brokers."""
_FLAT: Final = TypeAdapter(FlatAmounts, config=ConfigDict(strict=True))
_NESTED: Final = TypeAdapter(NestedAmounts, config=ConfigDict(strict=True))
_MIXED: Final = (
    "is not like the other amounts: send {connectionId: {currency: amount}} throughout,"
    " or {sourceConnectionId: {destinationConnectionId: {currency: amount}}} throughout"
)


def _of_one_shape(amounts: object, _: object) -> FlatAmounts | NestedAmounts:
    """Flat or nested as a whole, told apart before validation, so that an error names the entry once."""
    given = amounts.values() if isinstance(amounts, dict) else ()
    if not any(isinstance(amount, dict) for one in given if isinstance(one, dict) for amount in one.values()):
        return _FLAT.validate_python(amounts)
    mixed = _first_unlike(cast("dict[str, object]", amounts))
    if mixed is not None:
        problem = InitErrorDetails(type=PydanticCustomError("amounts_mixed", _MIXED), loc=mixed, input=None)
        raise ValidationError.from_exception_data("settlementAmounts", [problem])
    return _NESTED.validate_python(amounts)


def _first_unlike(amounts: Mapping[str, object]) -> tuple[str, ...] | None:
    """The path to the first amount among those between two connections that is not one."""
    for connection_id, given in amounts.items():
        if isinstance(given, dict):
            for name, amount in given.items():
                if not isinstance(amount, dict):
                    return (connection_id, name)
    return None


SettlementAmounts = Annotated[FlatAmounts | NestedAmounts, WrapValidator(_of_one_shape)]


class SettlementFields(ToSign):
    """What a settlement says, before it is signed."""

    external_id: ShortText
    notes: LongText | None = None
    settlement_amounts: SettlementAmounts


class SettlementSigningRequest(SettlementFields):
    cutoff_at: WireMoment | None = None


class StageSettlementRequest(SettlementFields, Signed):
    """One signed instruction of a partner. Protocol §5."""

    cutoff_at: WireMoment


class SettleAtOnceRequest(SettlementSigningRequest, Signed):
    """One signed instruction of a partner without a dispute window. Protocol §5."""


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


class ExecutedSettlementAnswer(WireModel):
    settlement: SettlementOutput


class NotExecutedSettlementAnswer(WireModel):
    """A settlement that was recorded and did not execute: its ``reason`` is the sentence that an error would have.

    The contract allows either a settlement or an ``error`` in one answer, never both.
    """

    settlement: SettlementOutput
    name: str
    request_id: str
    details: dict[str, object] | None = None


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


class MaskedTransfersAnswer(WireModel):
    settlement_transfers: list[MaskedTransferOutput]


class ClientSettlementAnswer(WireModel):
    """One settlement as a client sees it: its own transfers and disputes only."""

    settlement: SettlementOutput
    settlement_transfers: list[MaskedTransferOutput]
    settling_disputes: list[DisputeWithClosureOutput]
    settlement_disputes: list[DisputeWithClosureOutput]


CLIENT_SIDE_REASON = "the partner's account does not cover the settlement yet"
CLIENT_SIDE_REASON_AT_ONCE = "not everything in the settlement was covered when the partner sent it"
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
        fields["reason"] = _client_side_reason(settlement)
    return fields


def _client_side_reason(settlement: Settlement) -> str:
    if settlement.settlement_type is SettlementType.ONCHAIN:
        return CLIENT_SIDE_ONCHAIN_REASON
    return CLIENT_SIDE_REASON_AT_ONCE if settlement.immediate else CLIENT_SIDE_REASON
