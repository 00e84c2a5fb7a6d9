"""Standing top-ups, and what comes by them. All quantities are base units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StandingTopUp:
    """A partner's signed instruction.

    Attributes:
        go_account_id: where the money comes from: another Go Account of the partner's enterprise.
        per_settlement: the most that comes for one settlement.
        created_by: the user who sent the instruction.
    """

    id: UUID
    partner_id: UUID
    go_account_id: UUID
    currency: str
    per_settlement: int
    created_by: str
    created_at: datetime
    revoked_by: str | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewStandingTopUp:
    """What a partner asks for."""

    go_account_id: str
    currency: str
    per_settlement: int


@dataclass(frozen=True, slots=True)
class StandingTopUpFilter:
    """Selects instructions. None means no restriction. ``active``: not revoked."""

    active: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class Source:
    """An instruction that may be used now, and what its Go Account has available."""

    standing: StandingTopUp
    available: int


@dataclass(frozen=True, slots=True)
class TopUp:
    """What comes by an instruction for one settlement."""

    standing: StandingTopUp
    quantity: int
