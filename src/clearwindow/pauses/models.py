"""Pauses, what they are of, and what an operation touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from clearwindow.postgres.paging import FIRST_PAGE, Slice

RESUME_REQUEST_DAYS: Final = 7
"""How long a request to resume waits for another operator. Then one operator alone can do nothing with it."""


class PauseKind(StrEnum):
    """What is paused. ``ACCOUNT`` is one Go Account."""

    NETWORK = "network"
    PARTNER = "partner"
    CLIENT = "client"
    CURRENCY = "currency"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is paused. Exactly the field of its kind has a value; the network has none."""

    kind: PauseKind
    partner_id: UUID | None = None
    client_id: UUID | None = None
    currency: str | None = None
    go_account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause. It stands until ``resumed_at``.

    Attributes:
        resume_asked_by: the operator who asked to resume. Another one confirms.
        resumed_alone: the network needed no second operator when it was resumed.
    """

    id: UUID
    kind: PauseKind
    partner_id: UUID | None
    client_id: UUID | None
    currency: str | None
    go_account_id: UUID | None
    reason: str
    paused_by: UUID
    paused_at: datetime
    resume_asked_by: UUID | None = None
    resume_asked_at: datetime | None = None
    resume_reason: str | None = None
    resumed_by: UUID | None = None
    resumed_at: datetime | None = None
    resumed_alone: bool = False

    @property
    def stands(self) -> bool:
        return self.resumed_at is None

    @property
    def subject(self) -> Subject:
        return Subject(self.kind, self.partner_id, self.client_id, self.currency, self.go_account_id)


@dataclass(frozen=True, slots=True)
class Touched:
    """What an operation would move or make. A pause of any of it, or of the network, stops the operation."""

    partner_ids: Sequence[UUID] = ()
    client_ids: Sequence[UUID] = ()
    currencies: Sequence[str] = ()
    go_account_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Concerned:
    """An enterprise that learns of a pause. ``owns``: the paused Go Account is its own."""

    enterprise_id: str
    owns: bool


@dataclass(frozen=True, slots=True)
class PauseFilter:
    """Which pauses a reader wants; None means all."""

    kinds: Sequence[PauseKind] | None = None
    standing: bool | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    part: Slice = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class StandingCount:
    """How many pauses of a kind stand."""

    kind: PauseKind
    count: int
