"""On-chain settlements as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID


class Phase(StrEnum):
    """What an on-chain settlement waits for: its losses, the partner's deposits, its gains."""

    LOSSES = "losses"
    DEPOSITS = "deposits"
    GAINS = "gains"


class DepositStatus(StrEnum):
    """``confirmed``: held for its settlement; ``spent``: part of what the gains are paid from."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    SPENT = "spent"
    RELEASED = "released"
    FAILED = "failed"


DEPOSIT_TRANSITIONS: Final[dict[DepositStatus, frozenset[DepositStatus]]] = {
    DepositStatus.PENDING: frozenset({DepositStatus.CONFIRMED, DepositStatus.RELEASED, DepositStatus.FAILED}),
    DepositStatus.CONFIRMED: frozenset({DepositStatus.SPENT, DepositStatus.RELEASED}),
    DepositStatus.SPENT: frozenset(),
    DepositStatus.RELEASED: frozenset(),
    DepositStatus.FAILED: frozenset(),
}
"""The same table as the trigger ``onchain_deposit_transition`` holds."""


@dataclass(frozen=True, slots=True)
class Sla:
    """By when a side must be done, and from when on its delay is told. None: nothing is promised."""

    alert_at: datetime
    breach_at: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """Where an on-chain settlement stands."""

    settlement_id: UUID
    partner_id: UUID
    phase: Phase
    loss_alert_at: datetime | None
    loss_sla_at: datetime | None
    gain_alert_at: datetime | None
    gain_sla_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many transfers of one side stand where; ``exhausted`` of the failed ones wait for somebody to look."""

    pending: int = 0
    initiated: int = 0
    failed: int = 0
    completed: int = 0
    exhausted: int = 0
    retry_at: datetime | None = None

    @property
    def all_completed(self) -> bool:
        return self.pending + self.initiated + self.failed == 0

    @property
    def in_the_chains_hands(self) -> int:
        """What the chain has, or has paid already."""
        return self.initiated + self.completed


@dataclass(frozen=True, slots=True)
class Deposit:
    """A transaction by which a partner funds the gains of one settlement."""

    id: UUID
    partner_id: UUID
    settlement_id: UUID
    external_settlement_id: str
    currency: str
    partner_currency: str
    on_chain_tx_id: str
    status: DepositStatus
    quantity: Decimal | None
    entry_id: UUID | None
    failure: str | None
    due_at: datetime | None
    attempts: int
    last_error: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """What confirmed payments moved on one network account, in base units."""

    network_account_id: UUID
    currency: str
    side: str
    quantity: Decimal
