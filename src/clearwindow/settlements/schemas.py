"""Settlements on the wire, and the filters of their lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, Self, TypeAlias, cast
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from clearwindow.api.docs import ErrorName
from clearwindow.api.filters import CreatedPage, CursorPage, Flag, Many, Moment, Texts, Uuids, require_range
from clearwindow.api.parts import validated_in_parts
from clearwindow.api.schema import KeyText, LongText, Omittable, ShortText, WireModel, WireMoment
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import UuidText
from clearwindow.core.money import SignedDecimal
from clearwindow.core.text import present
from clearwindow.network.models import Client, Connection
from clearwindow.settlements import rules
from clearwindow.settlements.disputes.models import DisputeDetail
from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput, dispute_with_closure
from clearwindow.settlements.models import (
    ClientSettlementDetail,
    ClientTransfers,
    Instruction,
    Settlement,
    SettlementDetail,
    SettlementFilter,
    SettlementLine,
    SettlementState,
    SettlementType,
)
from clearwindow.settlements.transfers.models import Direction, Transfer, TransferSearch
from clearwindow.settlements.transfers.schemas import (
    MaskedTransferOutput,
    MaskedTransfersAnswer,
    SettlementTransferOutput,
    TransferStatuses,
    masked_transfer,
    our_currencies,
    settlement_transfer,
)
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import SIGNATURE_ERRORS, Signed, SigningOptions, ToSign

Quantities = dict[ShortText, SignedDecimal]
FlatAmounts = Annotated[dict[UuidText, Quantities], Field(min_length=1)]
"""``{connectionId: {currency: amount}}`` in the partner's names and unit. + the connection gains."""
NestedAmounts = Annotated[dict[UuidText, dict[UuidText, Quantities]], Field(min_length=1)]
"""``{sourceConnectionId: {destinationConnectionId: {currency: amount}}}``, for brokers. + the destination gains."""
_FLAT: Final = TypeAdapter(FlatAmounts, config=ConfigDict(strict=True))
_NESTED: Final = TypeAdapter(NestedAmounts, config=ConfigDict(strict=True))
_MIXED: Final = (
    "has another form than the other amounts: send {connectionId: {currency: amount}} for all,"
    " or {sourceConnectionId: {destinationConnectionId: {currency: amount}}} for all"
)


def _of_one_shape(amounts: object, _: object) -> FlatAmounts | NestedAmounts:
    """Validates the amounts as flat or as nested. Decided first, so that an error names an entry only once."""
    given = amounts.values() if isinstance(amounts, dict) else ()
    if not any(isinstance(amount, dict) for one in given if isinstance(one, dict) for amount in one.values()):
        return validated_in_parts(amounts, _FLAT, levels=2)
    mixed = _first_unlike(cast("dict[str, object]", amounts))
    if mixed is not None:
        problem = InitErrorDetails(type=PydanticCustomError("amounts_mixed", _MIXED), loc=mixed, input=None)
        raise ValidationError.from_exception_data("settlementAmounts", [problem])
    return validated_in_parts(amounts, _NESTED, levels=3)


def _first_unlike(amounts: Mapping[str, object]) -> tuple[str, ...] | None:
    """Returns the path to the first flat amount among nested ones."""
    for connection_id, given in amounts.items():
        if isinstance(given, dict):
            for name, amount in given.items():
                if not isinstance(amount, dict):
                    return (connection_id, name)
    return None


SettlementAmounts = Annotated[FlatAmounts | NestedAmounts, WrapValidator(_of_one_shape)]

WireStatus = Annotated[str, StringConstraints(pattern="^(pending|failed|completed|rejected)$")]
Statuses: TypeAlias = Many[WireStatus]

SETTLING_ERRORS: Final[tuple[ErrorName, ...]] = (
    "not_a_partner",
    ("partner_inactive", 403),
    "too_many_connections",
    "too_many_amounts",
    "amounts_missing",
    "amounts_not_flat",
    "amounts_not_net_zero",
    "amount_unfit",
    ("connection_unknown", 400),
    "connection_with_itself",
    "currency_unmapped",
    *SIGNATURE_ERRORS,
    ("nonce_used", 409),
    ("text_already_used", 409),
    "external_id_taken",
)
"""What each request for a settlement may raise, for /openapi.json."""


class SettlementFields(ToSign):
    """The fields of a settlement that are signed."""

    external_id: KeyText
    notes: Omittable[LongText] = None
    settlement_amounts: SettlementAmounts

    def to_model(self) -> Instruction:
        return Instruction(self.external_id, self.notes, self.settlement_amounts)


class SettlementSigningRequest(SettlementFields):
    cutoff_at: Omittable[WireMoment] = None


class SettlementSigningOptions(SigningOptions):
    """``operation``: what the text is for. Without it, it is for the version that the partner uses."""

    operation: Literal["settlement.stage", "settlement.immediate", "settlement.onchain"] | None = None

    @property
    def asked(self) -> Operation | None:
        return None if self.operation is None else Operation(self.operation)


class StageSettlementRequest(SettlementFields, Signed):
    """One signed instruction of a partner. Protocol §5."""

    cutoff_at: WireMoment

    def to_model(self) -> Instruction:
        return replace(super().to_model(), cutoff_at=self.cutoff_at)


class SettleAtOnceRequest(SettlementSigningRequest, Signed):
    """One signed instruction of a partner without a dispute window. Protocol §5."""

    def to_model(self) -> Instruction:
        return replace(super().to_model(), cutoff_at=self.cutoff_at)


class WithdrawSettlementRequest(Signed):
    """The partner takes back a settlement of its own. Protocol §5."""

    reason: Annotated[LongText, StringConstraints(min_length=1)]
    settlement_id: Omittable[ShortText] = None


class SettlementFilters(CreatedPage):
    settlement_ids: Uuids = None
    only_show_disputed: Flag = None
    partner_ids: Uuids = None
    party_connection_ids: Uuids = None
    counterparty_connection_ids: Uuids = None

    def to_model(self) -> SettlementFilter:
        return SettlementFilter(
            partner_ids=self.partner_ids,
            party_connection_ids=self.party_connection_ids,
            counterparty_connection_ids=self.counterparty_connection_ids,
            settlement_ids=self.settlement_ids,
            only_disputed=bool(self.only_show_disputed),
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            part=self.slice,
        )


class PartnerSettlementFilters(SettlementFilters):
    external_ids: Texts = None
    updated_on_or_after: Moment = None
    updated_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range_of_updates(self) -> Self:
        require_range(self.updated_on_or_after, self.updated_before, names=("updatedOnOrAfter", "updatedBefore"))
        return self

    def to_model(self) -> SettlementFilter:
        return replace(
            super().to_model(),
            external_ids=self.external_ids,
            updated_on_or_after=self.updated_on_or_after,
            updated_before=self.updated_before,
        )


class ClientSettlementFilters(SettlementFilters):
    statuses: Statuses = None

    def to_model(self) -> SettlementFilter:
        return replace(super().to_model(), states=rules.states_of(self.statuses))


class ClientTransferFilters(CursorPage):
    """Sorted by when the settlement last changed, which is also what ``settlementUpdated…`` filters by."""

    currencies: Texts = None
    initiated_by: Texts = None
    partner_ids: Uuids = None
    settlement_ids: Uuids = None
    settlement_statuses: Statuses = None
    settlement_transfer_statuses: TransferStatuses = None
    settlement_updated_before: Moment = None
    settlement_updated_on_or_after: Moment = None
    sort_field: Literal["updatedAt"] = "updatedAt"
    sort_direction: Literal["ASC", "DESC"] = "DESC"

    @model_validator(mode="after")
    def _require_a_range_of_updates(self) -> Self:
        names = ("settlementUpdatedOnOrAfter", "settlementUpdatedBefore")
        require_range(self.settlement_updated_on_or_after, self.settlement_updated_before, names=names)
        return self

    def to_model(self) -> TransferSearch:
        return TransferSearch(
            partner_ids=self.partner_ids,
            settlement_ids=self.settlement_ids,
            settlement_states=rules.states_of(self.settlement_statuses),
            initiated_by=self.initiated_by,
            settlement_updated_on_or_after=self.settlement_updated_on_or_after,
            settlement_updated_before=self.settlement_updated_before,
            currencies=our_currencies(self.currencies),
            statuses=self.settlement_transfer_statuses,
            ascending=self.sort_direction == "ASC",
            part=self.slice,
        )


class SettlementOutput(WireModel):
    """A settlement, with its ``reason`` if it failed or was rejected, and ``finalizedAt`` once it has ended."""

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
    stage: Annotated[
        str, Field(description="dispute_window, top_up_window, onchain, failed, completed or rejected")
    ]
    dispute_deadline_at: Annotated[str | None, Field(description="Missing in a settlement of version 1.")] = None
    top_up_deadline_at: Annotated[str | None, Field(description="Missing in a settlement of version 1.")] = None
    withdrawn_at: Annotated[
        str | None, Field(description="The partner has taken it back: none of its own transfers runs.")
    ] = None
    withdrawn_reason: str | None = None
    paused_since: Annotated[
        str | None, Field(description="Something of it is paused since then. It executes after that is resumed.")
    ] = None


class ExecutedSettlementAnswer(WireModel):
    settlement: SettlementOutput


class WithdrawnSettlementAnswer(WireModel):
    settlement: SettlementOutput


class NotExecutedSettlementAnswer(WireModel):
    """A settlement that was recorded and did not execute. Its ``reason`` says what an error text would say.

    The contract allows a settlement or an ``error`` in an answer, not both.
    """

    settlement: SettlementOutput
    name: str
    request_id: str
    documentation: str
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


class ClientSettlementAnswer(WireModel):
    """One settlement as a client sees it: only its own transfers and disputes."""

    settlement: SettlementOutput
    settlement_transfers: list[MaskedTransferOutput]
    settling_disputes: list[DisputeWithClosureOutput]
    settlement_disputes: list[DisputeWithClosureOutput]


CLIENT_SIDE_REASON: Final = "the partner's account does not cover the settlement yet"
CLIENT_SIDE_REASON_AT_ONCE: Final = "not everything in the settlement was covered when the partner sent it"
CLIENT_SIDE_ONCHAIN_REASON: Final = "a transaction of the settlement failed on the chain and waits to be sent again"


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
        stage=settlement.state.value,
        dispute_deadline_at=None if settlement.immediate else wire_time(settlement.dispute_deadline_at),
        top_up_deadline_at=None if settlement.immediate else wire_time(settlement.top_up_deadline_at),
        withdrawn_at=wire_time(settlement.withdrawn_at) if settlement.withdrawn_at else None,
        withdrawn_reason=settlement.withdrawn_reason,
        paused_since=wire_time(settlement.paused_since) if settlement.paused_since else None,
    )


def settlement_output(settlement: Settlement, *, disputed: bool) -> SettlementOutput:
    return SettlementOutput.model_validate(settlement_fields(settlement, disputed=disputed))


def staged_answer(settlement: Settlement, settling: Sequence[DisputeDetail]) -> str:
    """Returns the JSON text of the answer to a staged settlement."""
    fields = settlement_fields(settlement, disputed=False)
    fields |= {"settling_disputes": [dispute_with_closure(detail) for detail in settling]}
    answer = StagedSettlementAnswer(settlement=StagedSettlementOutput.model_validate(fields))
    return answer.model_dump_json(by_alias=True, exclude_unset=True)


def settlement_answer(detail: SettlementDetail) -> SettlementAnswer:
    return SettlementAnswer(
        settlement=settlement_output(detail.settlement, disputed=detail.disputed),
        settlement_transfers=[settlement_transfer(one, detail.accounts) for one in detail.transfers],
        settling_disputes=[dispute_with_closure(dispute) for dispute in detail.settling],
        settlement_disputes=[dispute_with_closure(dispute) for dispute in detail.raised],
    )


def settlements_answer(lines: Sequence[SettlementLine]) -> SettlementsAnswer:
    shown = [settlement_output(line.settlement, disputed=line.disputed) for line in lines]
    return SettlementsAnswer(settlements=shown)


def client_settlements_answer(lines: Sequence[SettlementLine]) -> ClientSettlementsAnswer:
    return ClientSettlementsAnswer(settlements=[_client_settlement(line) for line in lines])


def client_settlement_answer(detail: ClientSettlementDetail) -> ClientSettlementAnswer:
    fields = _client_fields(detail.settlement, disputed=detail.disputed)
    return ClientSettlementAnswer(
        settlement=SettlementOutput.model_validate(fields),
        settlement_transfers=[
            _masked(one, detail.settlement, detail.client, detail.connections) for one in detail.transfers
        ],
        settling_disputes=[dispute_with_closure(dispute) for dispute in detail.settling],
        settlement_disputes=[dispute_with_closure(dispute) for dispute in detail.raised],
    )


def masked_transfers_answer(found: ClientTransfers) -> MaskedTransfersAnswer:
    shown = [
        _masked(one, found.settlements[one.settlement_id], found.client, found.connections)
        for one in found.page.items
        if one.settlement_id
    ]
    return MaskedTransfersAnswer(settlement_transfers=shown)


def _masked(
    transfer: Transfer, settlement: Settlement, client: Client, own: Mapping[UUID, Connection]
) -> MaskedTransferOutput:
    return masked_transfer(transfer, rules.wire_status(settlement.state), settlement.notes, client, own)


def _client_fields(settlement: Settlement, *, disputed: bool) -> dict[str, object]:
    """Returns the fields that a client sees. It does not see what exactly the partner lacks."""
    fields = settlement_fields(settlement, disputed=disputed)
    if settlement.state is SettlementState.FAILED:
        fields["reason"] = _client_side_reason(settlement)
    return fields


def _client_settlement(line: SettlementLine) -> ClientSettlementOutput:
    fields = _client_fields(line.settlement, disputed=line.disputed)
    fields |= {"transfer_direction": _direction(line.direction)}
    return ClientSettlementOutput.model_validate(fields)


def _client_side_reason(settlement: Settlement) -> str:
    if settlement.settlement_type is SettlementType.ONCHAIN:
        return CLIENT_SIDE_ONCHAIN_REASON
    return CLIENT_SIDE_REASON_AT_ONCE if settlement.immediate else CLIENT_SIDE_REASON


def _direction(direction: Direction | None) -> str:
    if direction is None or (direction.receives and direction.sends):
        return "send-and-receive"
    return "receive" if direction.receives else "send"
