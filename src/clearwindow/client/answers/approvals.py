"""Approvals by a second user of a client's enterprise, and the thresholds above which they are needed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.allocations import Allocation
from clearwindow.client.answers.base import BaseUnits, OpenText, Value

ApprovalType = Annotated[Literal["allocation", "threshold", "daily_threshold", "custodian_limit"], OpenText]
ApprovalStatus = Annotated[Literal["pending", "approved", "rejected"], OpenText]


class PendingApproval(Value):
    """An allocation or a higher threshold that needs, or needed, a second user.

    ``quantity`` is the allocated quantity, or the new threshold (None to remove it); ``threshold`` is the one that
    was in force. ``day_quantity`` is the sum of 24 hours, if an allocation waits because of the daily threshold.
    """

    id: str
    type: ApprovalType
    status: ApprovalStatus
    allocation_id: str | None = None
    partner_id: str | None = None
    currency: str
    quantity: BaseUnits | None
    day_quantity: BaseUnits | None = None
    threshold: BaseUnits
    initiated_by: str
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    notes: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class DecidedApproval(Value):
    """A decision, and the allocation in its new state."""

    pending_approval: PendingApproval
    allocation: Allocation | None = None


class Thresholds(Value):
    """The thresholds by currency. A currency that is missing has none."""

    thresholds: dict[str, BaseUnits]


class ChangedThresholds(Thresholds):
    """The thresholds in force, and the changes that wait for another user."""

    pending_approvals: tuple[PendingApproval, ...]
