"""What waits for a second user of a client's enterprise, and the thresholds above which it does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.allocations import Allocation
from clearwindow.client.answers.base import BaseUnits, OpenText, Value

ApprovalType = Annotated[Literal["allocation", "threshold"], OpenText]
ApprovalStatus = Annotated[Literal["pending", "approved", "rejected"], OpenText]


class PendingApproval(Value):
    """An allocation, or a laxer threshold, that waits for a second user, or did.

    ``quantity`` is what is allocated, or the wanted threshold, None for none; ``threshold`` is the one that stood.
    """

    id: str
    type: ApprovalType
    status: ApprovalStatus
    allocation_id: str | None = None
    partner_id: str | None = None
    currency: str
    quantity: BaseUnits | None
    threshold: BaseUnits
    initiated_by: str
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    notes: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class DecidedApproval(Value):
    """A decision, and the allocation that it was about, as it now stands."""

    pending_approval: PendingApproval
    allocation: Allocation | None = None


class Thresholds(Value):
    """By currency; one that is not there has no threshold."""

    thresholds: dict[str, BaseUnits]


class ChangedThresholds(Thresholds):
    """The thresholds that hold now, and the changes that wait for another user."""

    pending_approvals: tuple[PendingApproval, ...]
