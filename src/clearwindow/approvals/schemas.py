"""Approvals and thresholds on the network's wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints

from clearwindow.approvals.values import Approval, ApprovalFilter, ApprovalKind, ApprovalStatus, Changed
from clearwindow.clock import wire_time
from clearwindow.http.filters import Many, Page, Texts, Uuids
from clearwindow.http.wire import LongText, RequestModel, ShortText, WireModel, present
from clearwindow.money import MAX_DIGITS, canonical_currency

Kinds: TypeAlias = Many[Literal["allocation", "threshold"]]
Statuses: TypeAlias = Many[Literal["pending", "approved", "rejected"]]

MAX_THRESHOLDS: Final = 1_000
Threshold = Annotated[str, StringConstraints(pattern=rf"^(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})$")]
"""Base units as decimal text, from 0 on."""


class ThresholdsRequest(RequestModel):
    """A threshold of null is taken away; currencies that are not named keep theirs."""

    thresholds: Annotated[dict[ShortText, Threshold | None], Field(min_length=1, max_length=MAX_THRESHOLDS)]

    def value(self) -> dict[str, int | None]:
        return {name: None if given is None else int(given) for name, given in self.thresholds.items()}


class DecisionRequest(RequestModel):
    decision: Literal["approved", "rejected"]
    notes: LongText | None = None

    @property
    def status(self) -> ApprovalStatus:
        return ApprovalStatus(self.decision)


class ApprovalFilters(Page):
    pending_approval_ids: Uuids = None
    types: Kinds = None
    statuses: Statuses = None
    currencies: Texts = None
    allocation_ids: Uuids = None

    def value(self, enterprise_id: str) -> ApprovalFilter:
        named = self.currencies
        return ApprovalFilter(
            enterprise_id=enterprise_id,
            ids=self.pending_approval_ids,
            kinds=self.types,
            statuses=self.statuses,
            currencies=None if named is None else [canonical_currency(name) for name in named],
            allocation_ids=self.allocation_ids,
        )


class PendingApproval(WireModel):
    """Of an allocation, ``quantity`` is what it allocates; of a threshold, the wanted one, null for none.

    ``threshold`` is the one that stood when it was asked for. Base units of our currency.
    """

    id: str
    type: str
    status: str
    allocation_id: str | None = None
    partner_id: str | None = None
    currency: str
    quantity: str | None
    threshold: str
    initiated_by: str
    decided_by: str | None = None
    decided_at: str | None = None
    notes: str | None = None
    created_at: str
    updated_at: str


class PendingApprovalAnswer(WireModel):
    pending_approval: PendingApproval


class PendingApprovalList(WireModel):
    pending_approvals: list[PendingApproval]


class Thresholds(WireModel):
    """By our currency name; a currency that is not there has no threshold."""

    thresholds: dict[str, str]


class ChangedThresholds(Thresholds):
    """The thresholds that hold now, and the changes that wait for another user."""

    pending_approvals: list[PendingApproval]


def pending_approval(approval: Approval) -> PendingApproval:
    optional = present(
        allocation_id=None if approval.allocation_id is None else str(approval.allocation_id),
        partner_id=str(approval.partner_id) if approval.kind is ApprovalKind.ALLOCATION else None,
        decided_by=approval.decided_by,
        decided_at=None if approval.decided_at is None else wire_time(approval.decided_at),
        notes=approval.notes,
    )
    fields = {
        "id": str(approval.id),
        "type": str(approval.kind),
        "status": str(approval.status),
        "currency": approval.currency,
        "quantity": None if approval.quantity is None else str(approval.quantity),
        "threshold": str(approval.threshold),
        "initiated_by": approval.initiated_by,
        "created_at": wire_time(approval.created_at),
        "updated_at": wire_time(approval.updated_at),
    }
    return PendingApproval.model_validate(fields | optional)


def pending_approval_answer(approval: Approval) -> PendingApprovalAnswer:
    return PendingApprovalAnswer(pending_approval=pending_approval(approval))


def pending_approval_list(approvals: Iterable[Approval]) -> PendingApprovalList:
    return PendingApprovalList(pending_approvals=[pending_approval(approval) for approval in approvals])


def thresholds_answer(thresholds: Mapping[str, int]) -> Thresholds:
    return Thresholds(thresholds=_texts(thresholds))


def changed_answer(changed: Changed) -> ChangedThresholds:
    waiting = [pending_approval(approval) for approval in changed.waiting]
    return ChangedThresholds(thresholds=_texts(changed.thresholds), pending_approvals=waiting)


def _texts(thresholds: Mapping[str, int]) -> dict[str, str]:
    return {currency: str(quantity) for currency, quantity in sorted(thresholds.items())}
