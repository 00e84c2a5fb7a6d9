"""Allocations on the network's wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias
from uuid import UUID

from clearwindow.allocations.deciding import Outcome as Decision
from clearwindow.allocations.service import Outcome
from clearwindow.allocations.values import (
    Allocation,
    AllocationFilter,
    AllocationStatus,
    AllocationType,
    AskedAllocation,
)
from clearwindow.approvals.wire import PendingApproval, pending_approval
from clearwindow.clock import wire_time
from clearwindow.http.filters import Many, Moment, Page, Texts, Uuids
from clearwindow.http.wire import LongText, RequestModel, ShortText, WireModel, present
from clearwindow.ids import WireUuid
from clearwindow.money import PositiveBaseUnits, canonical_currency
from clearwindow.network.values import CurrencyMap
from clearwindow.signing.wire import Signed, ToSign

Types: TypeAlias = Many[Literal["allocation", "deallocation"]]
Statuses: TypeAlias = Many[Literal["cleared", "released", "reserved"]]


class AmountRequest(RequestModel):
    currency: ShortText
    quantity: PositiveBaseUnits


class AllocationToSign(ToSign):
    amount: AmountRequest
    client_external_id: ShortText
    notes: LongText | None = None
    connection_id: WireUuid | None = None


class AllocationRequest(AllocationToSign, Signed):
    """A signed ``AllocationToSign``."""

    def value(self, kind: AllocationType, connection_id: UUID) -> AskedAllocation:
        return AskedAllocation(
            type=kind,
            connection_id=connection_id,
            currency=self.amount.currency,
            quantity=int(self.amount.quantity),
            client_external_id=self.client_external_id,
            notes=self.notes,
        )


class AllocationFilters(Page):
    """What both sides may filter by."""

    allocation_ids: Uuids = None
    types: Types = None
    statuses: Statuses = None
    currencies: Texts = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    sort_direction: Literal["ASC", "DESC"] = "DESC"


class ClientAllocationFilters(AllocationFilters):
    created_on_or_after: Moment = None
    created_before: Moment = None
    sort_field: Literal["id", "updatedAt", "quantity", "currency"] = "updatedAt"

    def value(self) -> AllocationFilter:
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

    def value(self) -> AllocationFilter:
        return AllocationFilter(
            ids=self.allocation_ids,
            types=self.types,
            statuses=self.statuses,
            currencies=self.currencies,
            connection_ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            sort_field=self.sort_field,
            sort_direction=self.sort_direction,
        )


class Amount(WireModel):
    currency: str
    quantity: str


class AllocationOutput(WireModel):
    """An allocation in the answer to its own request; ``reason`` only where it did not clear."""

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
    """An allocation wherever it is read; ``reason`` is null where there is none."""

    type: str
    reason: str | None


class SubmittedAllocation(WireModel):
    allocation: AllocationOutput


class SubmittedDeallocation(WireModel):
    deallocation: AllocationOutput


class RefusedAllocation(WireModel):
    """Why it was refused, and the released record of it under its own name."""

    error: str
    name: str
    request_id: str
    details: dict[str, str] | None = None
    allocation: AllocationOutput | None = None
    deallocation: AllocationOutput | None = None


class DecidedApproval(WireModel):
    """The decision, and the allocation that it was about, as it now stands."""

    pending_approval: PendingApproval
    allocation: ListedAllocation | None = None


class AllocationAnswer(WireModel):
    allocation: ListedAllocation


class AllocationList(WireModel):
    allocations: list[ListedAllocation]


def submitted(outcome: Outcome) -> SubmittedAllocation | SubmittedDeallocation:
    output = AllocationOutput.model_validate(_client_fields(outcome.allocation))
    if outcome.allocation.type is AllocationType.ALLOCATION:
        return SubmittedAllocation(allocation=output)
    return SubmittedDeallocation(deallocation=output)


def refused(outcome: Outcome, request_id: str) -> RefusedAllocation:
    allocation = outcome.allocation
    fields = present(
        error=f"the {allocation.type} was released: {allocation.reason}; try again under a new clientExternalId",
        name=allocation.refusal,
        request_id=request_id,
        details=outcome.details,
    )
    output = AllocationOutput.model_validate(_client_fields(allocation))
    return RefusedAllocation.model_validate(fields | {str(allocation.type): output})


def is_refused(outcome: Outcome) -> bool:
    return outcome.allocation.status is AllocationStatus.RELEASED


def client_list(allocations: Iterable[Allocation]) -> AllocationList:
    return AllocationList(allocations=[_client_entry(allocation) for allocation in allocations])


def client_answer(allocation: Allocation) -> AllocationAnswer:
    return AllocationAnswer(allocation=_client_entry(allocation))


def decided_approval(outcome: Decision) -> DecidedApproval:
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
    """In the partner's own terms, without the client's notes to itself (*choice*).

    A currency that the partner maps no more stays under our name, which no partner's unit applies to.
    """
    amount = currencies.to_theirs(allocation.currency, allocation.quantity)
    listed = {"type": str(allocation.type), "reason": allocation.reason}
    fields = _fields(allocation, amount or (allocation.currency, str(allocation.quantity)))
    return ListedAllocation.model_validate(fields | listed)


def _client_fields(allocation: Allocation) -> dict[str, object]:
    own = (allocation.currency, str(allocation.quantity))
    return _fields(allocation, own) | present(notes=allocation.notes)


def _fields(allocation: Allocation, amount: tuple[str, str]) -> dict[str, object]:
    currency, quantity = amount
    return present(
        id=str(allocation.id),
        amount={"currency": currency, "quantity": quantity},
        connection_id=str(allocation.connection_id),
        client_external_id=allocation.client_external_id,
        partner_external_id=allocation.partner_external_id,
        initiated_by=allocation.initiated_by,
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
