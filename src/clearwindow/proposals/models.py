"""Approvals of proposals, and what a reader of proposals wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from clearwindow.identity.acts import Proposal, ProposalStatus
from clearwindow.identity.models import Hands
from clearwindow.postgres.paging import Slice

COLLECT_WITHIN: Final = timedelta(hours=24)
"""How long a proposer may collect a value after its proposal was carried out."""


@dataclass(frozen=True, slots=True)
class ProposalApproval:
    """One operator's approval. ``counts``: the operator still is one who may approve."""

    proposal_id: UUID
    operator_id: UUID
    token_made_by: UUID | None
    approved_at: datetime
    counts: bool

    @property
    def hands(self) -> Hands:
        return Hands(self.operator_id, self.token_made_by)


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """A proposal with its approvals, oldest first."""

    proposal: Proposal
    approvals: Sequence[ProposalApproval] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a proposal ends. ``ended_by``: None if its time has run out. ``due_at``: until when its value is kept."""

    status: ProposalStatus
    ended_by: UUID | None = None
    reason: str | None = None
    result: dict[str, object] | None = None
    sealed_value: bytes | None = field(default=None, repr=False)
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """Which proposals a reader wants; None means all."""

    statuses: Sequence[str] | None
    acts: Sequence[str] | None
    subject_ids: Sequence[str] | None
    enterprise_ids: Sequence[str] | None
    proposed_by: Sequence[UUID] | None
    created_on_or_after: datetime | None
    created_before: datetime | None
    part: Slice
