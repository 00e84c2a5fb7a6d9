# Made from ../aio by `make sdk`: change it there.
"""What waits for a second user of the client's enterprise, and above which quantities allocations do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Unpack

from clearwindow.client.answers.approvals import ChangedThresholds, DecidedApproval, PendingApproval, Thresholds
from clearwindow.client.calls import value_of
from clearwindow.client.filters import ApprovalFilters
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, Quantity, fields, quantity_text


class ClientApprovals:
    """Approvals of allocations to partners with allocation policies. Amounts are base units."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ApprovalFilters]) -> Pages[PendingApproval]:
        """What waits, and what was decided; the newest first."""
        path = self._desk.path("/clients/pending-approvals")
        return self._desk.pages(path, "pendingApprovals", PendingApproval, filters)

    def get(self, approval_id: Id) -> PendingApproval:
        """One of them; an allocation names it as its ``pending_approval_id``."""
        path = self._desk.path("/clients/pending-approvals/{}", approval_id)
        return self._desk.get(path, value_of(PendingApproval, "pendingApproval"))

    def decide(
        self, approval_id: Id, *, decision: Literal["approved", "rejected"], notes: str | None = None
    ) -> DecidedApproval:
        """Approves or rejects. The same decision again, by the same user, changes nothing.

        Raises:
            PermissionDeniedError: whoever asked may only reject.
            ConflictError: it was decided otherwise.
        """
        path = self._desk.path("/clients/pending-approvals/{}", approval_id)
        asked = fields(decision=decision, notes=notes)
        return self._desk.send("PUT", path, value_of(DecidedApproval), asked, repeatable=True)

    def thresholds(self) -> Thresholds:
        """Above which quantities allocations need a second user."""
        return self._desk.get(self._desk.path("/clients/approval-thresholds"), value_of(Thresholds))

    def change_thresholds(self, thresholds: Mapping[str, Quantity | None]) -> ChangedThresholds:
        """Sets thresholds, or takes them away with None; currencies that are not named keep theirs.

        A new or lower one counts at once; a higher one, or none, waits until another user approves it.

        Raises:
            ConflictError: another change of one of them waits.
        """
        wanted = {
            currency: None if quantity is None else quantity_text(quantity)
            for currency, quantity in thresholds.items()
        }
        path = self._desk.path("/clients/approval-thresholds")
        asked = {"thresholds": wanted}
        return self._desk.send("PUT", path, value_of(ChangedThresholds), asked, repeatable=True)
