"""Approvals by a second user of the client's enterprise, and the quantities above which allocations need one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.approvals import ChangedThresholds, DecidedApproval, PendingApproval, Thresholds
from clearwindow.client.calls import value_of
from clearwindow.client.filters import ApprovalFilters
from clearwindow.client.text import Id, Quantity, fields, quantity_text
from clearwindow.signing.models import Operation


class AsyncClientApprovals:
    """Approvals of allocations to partners with allocation policies. Amounts are base units."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ApprovalFilters]) -> AsyncPages[PendingApproval]:
        """Lists pending and decided approvals, newest first."""
        path = self._desk.path("/clients/pending-approvals")
        return self._desk.pages(path, "pendingApprovals", PendingApproval, filters)

    async def get(self, approval_id: Id) -> PendingApproval:
        """Returns one approval. An allocation has its id as ``pending_approval_id``."""
        path = self._desk.path("/clients/pending-approvals/{}", approval_id)
        return await self._desk.get(path, value_of(PendingApproval, "pendingApproval"))

    async def decide(
        self, approval_id: Id, *, decision: Literal["approved", "rejected"], notes: str | None = None
    ) -> DecidedApproval:
        """Approves or rejects. The same decision again, by the same user, changes nothing.

        Raises:
            PermissionDeniedError: the user who asked may only reject.
            ConflictError: it was decided differently.
        """
        path = self._desk.path("/clients/pending-approvals/{}", approval_id)
        asked = fields(decision=decision, notes=notes)
        return await self._desk.send("PUT", path, value_of(DecidedApproval), asked, repeatable=True)

    async def thresholds(self) -> Thresholds:
        """Returns the quantities above which allocations need a second user."""
        return await self._desk.get(self._desk.path("/clients/approval-thresholds"), value_of(Thresholds))

    async def change_thresholds(
        self, thresholds: Mapping[str, Quantity | None], *, sign: bool = False
    ) -> ChangedThresholds:
        """Sets thresholds; None removes one. Currencies that are not named keep theirs.

        A new or lower threshold applies at once. A higher threshold or a removal waits for another user's approval.
        Signed if ``sign`` says so, or if the enterprise's account requires it and the client has a signer.

        Raises:
            ConflictError: another change of one of these thresholds is pending.
        """
        path, operation = self._desk.path("/clients/approval-thresholds"), Operation.APPROVAL_THRESHOLDS_CHANGE
        read, asked = value_of(ChangedThresholds), _thresholds(thresholds)
        return await self._desk.change("PUT", path, read, asked, operation, sign=sign, repeatable=(True, True))

    async def daily_thresholds(self) -> Thresholds:
        """Returns the quantities above which allocations of 24 hours to one partner need a second user."""
        return await self._desk.get(self._desk.path("/clients/daily-approval-thresholds"), value_of(Thresholds))

    async def change_daily_thresholds(
        self, thresholds: Mapping[str, Quantity | None], *, sign: bool = False
    ) -> ChangedThresholds:
        """Sets the thresholds of a day, as `change_thresholds` sets those of one allocation."""
        path, operation = (
            self._desk.path("/clients/daily-approval-thresholds"),
            Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE,
        )
        read, asked = value_of(ChangedThresholds), _thresholds(thresholds)
        return await self._desk.change("PUT", path, read, asked, operation, sign=sign, repeatable=(True, True))


class AsyncCustodianLimits:
    """What custodian keys of the enterprise may sign on one UTC day, by currency, in base units."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    async def get(self) -> Thresholds:
        """Returns the limits. A currency that is missing has none."""
        return await self._desk.get(self._desk.path("/custodian-limits"), value_of(Thresholds))

    async def change(self, thresholds: Mapping[str, Quantity | None], *, sign: bool = False) -> ChangedThresholds:
        """Sets limits; None removes one. Currencies that are not named keep theirs.

        A new or lower limit applies at once. A higher one or a removal waits for another user's approval.
        Signed if ``sign`` says so, or if the enterprise's account requires it and the client has a signer.

        Raises:
            ConflictError: another change of one of these limits is pending.
        """
        path, operation = self._desk.path("/custodian-limits"), Operation.CUSTODIAN_LIMITS_CHANGE
        read, asked = value_of(ChangedThresholds), _thresholds(thresholds)
        return await self._desk.change("PUT", path, read, asked, operation, sign=sign, repeatable=(True, True))


def _thresholds(wanted: Mapping[str, Quantity | None]) -> dict[str, object]:
    given = {name: None if quantity is None else quantity_text(quantity) for name, quantity in wanted.items()}
    return {"thresholds": given}
