"""Approvals and thresholds on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints

from clearwindow.api.filters import CreatedPage, Many, Texts, Uuids
from clearwindow.api.schema import LongText, Omittable, RequestModel, ShortText, WireModel
from clearwindow.approvals.models import Approval, ApprovalFilter, ApprovalKind, ApprovalStatus, Changed
from clearwindow.core.clock import wire_time
from clearwindow.core.money import MAX_DIGITS, canonical_currency
from clearwindow.core.text import present
from clearwindow.signing.schemas import SignableChange

Kinds: TypeAlias = Many[Literal["allocation", "threshold", "daily_threshold", "custodian_limit"]]
Statuses: TypeAlias = Many[Literal["pending", "approved", "rejected"]]

MAX_THRESHOLDS: Final = 1_000
Threshold = Annotated[str, StringConstraints(pattern=rf"^(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})$")]
"""Base units as decimal text, 0 or more."""


class ThresholdsRequest(SignableChange):
    """Null removes a threshold. The thresholds of other currencies stay."""

    thresholds: Annotated[dict[ShortText, Threshold | None], Field(min_length=1, max_length=MAX_THRESHOLDS)]

    def to_model(self) -> dict[str, int | None]:
        return {name: None if given is None else int(given) for name, given in self.thresholds.items()}


class DecisionRequest(RequestModel):
    decision: Literal["approved", "rejected"]
    notes: Omittable[LongText] = None

    @property
    def status(self) -> ApprovalStatus:
        return ApprovalStatus(self.decision)


class ApprovalFilters(CreatedPage):
    pending_approval_ids: Uuids = None
    types: Kinds = None
    statuses: Statuses = None
    currencies: Texts = None
    allocation_ids: Uuids = None

    def to_model(self, enterprise_id: str) -> ApprovalFilter:
        named = self.currencies
        return ApprovalFilter(
            enterprise_id=enterprise_id,
            ids=self.pending_approval_ids,
            kinds=self.types,
            statuses=self.statuses,
            currencies=None if named is None else [canonical_currency(name) for name in named],
            allocation_ids=self.allocation_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
        )


class PendingApproval(WireModel):
    """An approval, pending or decided. All quantities are base units of our currency.

    ``quantity`` is the quantity of the allocation, or the new threshold (null removes it). ``threshold`` is the
    threshold at the time of the request. ``dayQuantity`` is the sum of 24 hours with this allocation, if it waits
    because of the daily threshold.
    """

    id: str
    type: str
    status: str
    allocation_id: str | None = None
    partner_id: str | None = None
    currency: str
    quantity: str | None
    day_quantity: str | None = None
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
    """By our currency name. A currency that is missing has no threshold."""

    thresholds: dict[str, str]


class ChangedThresholds(Thresholds):
    """The thresholds in effect now, and the changes that wait for another user."""

    pending_approvals: list[PendingApproval]


def pending_approval(approval: Approval) -> PendingApproval:
    optional = present(
        day_quantity=None if approval.day_quantity is None else str(approval.day_quantity),
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
