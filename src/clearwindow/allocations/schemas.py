"""Allocations on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import StringConstraints

from clearwindow.allocations.models import (
    Allocation,
    AllocationFilter,
    AllocationStatus,
    AllocationType,
    ApprovalOutcome,
    Decision,
    RequestedAllocation,
    RequestOutcome,
)
from clearwindow.api.filters import CreatedPage, Many, Texts, Uuids
from clearwindow.api.schema import KeyText, LongText, Omittable, RequestModel, ShortText, WireModel
from clearwindow.approvals.schemas import PendingApproval, pending_approval
from clearwindow.core.clock import wire_time
from clearwindow.core.error_registry import documentation_of
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import WireUuid
from clearwindow.core.money import PositiveBaseUnits, PositiveDecimal, canonical_currency
from clearwindow.core.text import present
from clearwindow.network.models import CurrencyMap
from clearwindow.signing.schemas import Signed, ToSign

Types: TypeAlias = Many[Literal["allocation", "deallocation"]]
Statuses: TypeAlias = Many[Literal["cleared", "released", "reserved"]]


class AmountRequest(RequestModel):
    currency: ShortText
    quantity: PositiveBaseUnits


class AllocationToSign(ToSign):
    amount: AmountRequest
    client_external_id: KeyText
    notes: Omittable[LongText] = None
    connection_id: Omittable[WireUuid] = None


class AllocationRequest(AllocationToSign, Signed):
    """A signed ``AllocationToSign``."""

    def to_model(self, kind: AllocationType, connection_id: UUID) -> RequestedAllocation:
        return RequestedAllocation(
            type=kind,
            connection_id=connection_id,
            currency=self.amount.currency,
            quantity=int(self.amount.quantity),
            client_external_id=self.client_external_id,
            notes=self.notes,
        )


class PartnerAmountRequest(RequestModel):
    """An amount in the partner's own name and unit."""

    currency: ShortText
    quantity: PositiveDecimal


class _DecisionRequest(Signed):
    """A partner's own decision about a reserved allocation. It repeats the ids and the amount of the question."""

    amount: PartnerAmountRequest
    client_id: WireUuid
    connection_id: WireUuid
    partners_client_id: ShortText
    partners_connection_id: ShortText
    evaluation_id: Omittable[ShortText] = None
    pending_approval_id: Omittable[ShortText] = None
    policy_result: Omittable[Literal["approved", "rejected"]] = None
    status: Literal["cleared", "released"]
    reject_reason: Omittable[Annotated[str, StringConstraints(min_length=1, max_length=500)]] = None

    def decision(self, kind: AllocationType, allocation_id: UUID, own_id: str) -> Decision:
        if self.reject_reason is not None and self.status != "released":
            raise InvalidRequestError(
                "reject_reason_without_rejection", "rejectReason: allowed only with the status released"
            )
        return Decision(
            type=kind,
            allocation_id=allocation_id,
            currency=self.amount.currency,
            quantity=self.amount.quantity,
            echoed={
                "clientId": str(self.client_id),
                "connectionId": str(self.connection_id),
                "partnersClientId": self.partners_client_id,
                "partnersConnectionId": self.partners_connection_id,
                "evaluationId": self.evaluation_id,
                "pendingApprovalId": self.pending_approval_id,
                "policyResult": self.policy_result,
            },
            partners_allocation_id=own_id,
            status=AllocationStatus(self.status),
            reject_reason=self.reject_reason,
        )

    def echo(self) -> dict[str, object]:
        """Returns the fields that the answer repeats."""
        excluded = {"status", "nonce", "reject_reason", "payload", "signature", "enterprise_id"}
        return self.model_dump(mode="json", by_alias=False, exclude=excluded, exclude_none=True)


class AllocationDecisionRequest(_DecisionRequest):
    allocation_id: WireUuid
    partners_allocation_id: ShortText

    def to_model(self) -> Decision:
        return self.decision(AllocationType.ALLOCATION, self.allocation_id, self.partners_allocation_id)


class DeallocationDecisionRequest(_DecisionRequest):
    deallocation_id: WireUuid
    partners_deallocation_id: ShortText

    def to_model(self) -> Decision:
        return self.decision(AllocationType.DEALLOCATION, self.deallocation_id, self.partners_deallocation_id)


class AllocationFilters(CreatedPage):
    """The filters that clients and partners share."""

    allocation_ids: Uuids = None
    types: Types = None
    statuses: Statuses = None
    currencies: Texts = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    sort_direction: Literal["ASC", "DESC"] = "ASC"


class ClientAllocationFilters(AllocationFilters):
    sort_field: Literal["id", "updatedAt", "quantity", "currency"] = "updatedAt"

    def to_model(self) -> AllocationFilter:
        named = self.currencies
        return AllocationFilter(
            ids=self.allocation_ids,
            types=self.types,
            statuses=self.statuses,
            currencies=None if named is None else [canonical_currency(name) for name in named],
            connection_ids=self.connection_ids,
            partner_ids=self.partner_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            sort_field=self.sort_field,
            sort_direction=self.sort_direction,
        )


class PartnerAllocationFilters(AllocationFilters):
    client_ids: Uuids = None
    sort_field: Literal["id", "updatedAt", "quantity"] = "updatedAt"

    def to_model(self) -> AllocationFilter:
        return AllocationFilter(
            ids=self.allocation_ids,
            types=self.types,
            statuses=self.statuses,
            currencies=self.currencies,
            connection_ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
            sort_field=self.sort_field,
            sort_direction=self.sort_direction,
        )


class Amount(WireModel):
    currency: str
    quantity: str


class AllocationOutput(WireModel):
    """An allocation in the answer to its own request. ``reason`` is there only if it did not clear."""

    id: str
    amount: Amount
    connection_id: str
    client_external_id: str
    partner_external_id: str | None = None
    initiated_by: str
    notes: str | None = None
    created_at: str
    updated_at: str
    retriable: bool
    status: str
    reason: str | None = None
    evaluation_id: str | None = None
    pending_approval_id: str | None = None
    policy_result: str | None = None


class ListedAllocation(AllocationOutput):
    """An allocation in a list or read by its id. ``reason`` is null if there is none."""

    type: str
    reason: str | None


class SubmittedAllocation(WireModel):
    allocation: AllocationOutput


class SubmittedDeallocation(WireModel):
    deallocation: AllocationOutput


class _DecidedOutput(WireModel):
    """The fields of the decision, as they were sent."""

    amount: Amount
    client_id: str
    connection_id: str
    partners_client_id: str
    partners_connection_id: str
    evaluation_id: str | None = None
    pending_approval_id: str | None = None
    policy_result: str | None = None


class DecidedAllocation(_DecidedOutput):
    allocation_id: str
    partners_allocation_id: str


class DecidedDeallocation(_DecidedOutput):
    deallocation_id: str
    partners_deallocation_id: str


class RefusedAllocation(WireModel):
    """Why the request was refused, and its released record under ``allocation`` or ``deallocation``."""

    error: str
    name: str
    request_id: str
    documentation: str
    details: dict[str, str] | None = None
    allocation: AllocationOutput | None = None
    deallocation: AllocationOutput | None = None


class DecidedApproval(WireModel):
    """The decided approval and, if it is about an allocation, the allocation after the decision."""

    pending_approval: PendingApproval
    allocation: ListedAllocation | None = None


class AllocationAnswer(WireModel):
    allocation: ListedAllocation


class AllocationList(WireModel):
    allocations: list[ListedAllocation]


def submitted(outcome: RequestOutcome) -> SubmittedAllocation | SubmittedDeallocation:
    output = AllocationOutput.model_validate(_client_fields(outcome.allocation))
    if outcome.allocation.type is AllocationType.ALLOCATION:
        return SubmittedAllocation(allocation=output)
    return SubmittedDeallocation(deallocation=output)


def refused(outcome: RequestOutcome, request_id: str) -> RefusedAllocation:
    allocation = outcome.allocation
    if allocation.refusal is None:
        raise ValueError("a refused allocation has a refusal")
    fields = present(
        error=f"the {allocation.type} was released: {allocation.reason}; try again with a new clientExternalId",
        name=allocation.refusal,
        request_id=request_id,
        documentation=documentation_of(allocation.refusal),
        details=outcome.details,
    )
    output = AllocationOutput.model_validate(_client_fields(allocation))
    return RefusedAllocation.model_validate(fields | {str(allocation.type): output})


def is_refused(outcome: RequestOutcome) -> bool:
    """Returns whether the request ended with a released record."""
    return outcome.allocation.status is AllocationStatus.RELEASED


def status_of(outcome: RequestOutcome) -> int:
    """Returns the status of an answer with a record that was not refused. Protocol §4.2.

    502: this request asked the partner, which failed or was late. 500: another request or the worker is asking.
    """
    if not outcome.allocation.retriable:
        return HTTPStatus.OK
    return HTTPStatus.BAD_GATEWAY if outcome.asked_now else HTTPStatus.INTERNAL_SERVER_ERROR


def client_list(allocations: Iterable[Allocation]) -> AllocationList:
    return AllocationList(allocations=[_client_entry(allocation) for allocation in allocations])


def client_answer(allocation: Allocation) -> AllocationAnswer:
    return AllocationAnswer(allocation=_client_entry(allocation))


def decided_approval(outcome: ApprovalOutcome) -> DecidedApproval:
    entry = None if outcome.allocation is None else _client_entry(outcome.allocation)
    fields = present(pending_approval=pending_approval(outcome.approval), allocation=entry)
    return DecidedApproval.model_validate(fields)


def partner_list(allocations: Iterable[Allocation], currencies: CurrencyMap) -> AllocationList:
    return AllocationList(allocations=[_partner_entry(allocation, currencies) for allocation in allocations])


def partner_answer(allocation: Allocation, currencies: CurrencyMap) -> AllocationAnswer:
    return AllocationAnswer(allocation=_partner_entry(allocation, currencies))


def _client_entry(allocation: Allocation) -> ListedAllocation:
    listed = {"type": str(allocation.type), "reason": allocation.reason}
    return ListedAllocation.model_validate(_client_fields(allocation) | listed)


def _partner_entry(allocation: Allocation, currencies: CurrencyMap) -> ListedAllocation:
    """The allocation in the partner's names and unit.

    If the partner's map no longer has the currency, the amount has our name and base units.
    """
    amount = currencies.to_theirs(allocation.currency, allocation.quantity)
    listed = {"type": str(allocation.type), "reason": allocation.reason}
    fields = _fields(allocation, amount or (allocation.currency, str(allocation.quantity)))
    return ListedAllocation.model_validate(fields | listed)


def _client_fields(allocation: Allocation) -> dict[str, object]:
    return _fields(allocation, (allocation.currency, str(allocation.quantity)))


def _fields(allocation: Allocation, amount: tuple[str, str]) -> dict[str, object]:
    currency, quantity = amount
    return present(
        id=str(allocation.id),
        amount={"currency": currency, "quantity": quantity},
        connection_id=str(allocation.connection_id),
        client_external_id=allocation.client_external_id,
        partner_external_id=allocation.partner_external_id,
        initiated_by=allocation.initiated_by,
        notes=allocation.notes,
        created_at=wire_time(allocation.created_at),
        updated_at=wire_time(allocation.updated_at),
        retriable=allocation.retriable,
        status=str(allocation.status),
        reason=allocation.reason,
        evaluation_id=_text(allocation.evaluation_id),
        pending_approval_id=_text(allocation.pending_approval_id),
        policy_result=allocation.policy_result,
    )


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)
