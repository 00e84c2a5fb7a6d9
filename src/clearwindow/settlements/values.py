"""Settlements as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class SettlementState(StrEnum):
    """Where a settlement stands; the wire shows the first three as ``pending``."""

    DISPUTE_WINDOW = "dispute_window"
    TOP_UP_WINDOW = "top_up_window"
    ONCHAIN = "onchain"
    FAILED = "failed"
    COMPLETED = "completed"
    REJECTED = "rejected"


TRANSITIONS: Final[dict[SettlementState, frozenset[SettlementState]]] = {
    SettlementState.DISPUTE_WINDOW: frozenset({SettlementState.TOP_UP_WINDOW, SettlementState.REJECTED}),
    SettlementState.TOP_UP_WINDOW: frozenset(
        {SettlementState.COMPLETED, SettlementState.FAILED, SettlementState.REJECTED}
    ),
    SettlementState.ONCHAIN: frozenset(
        {SettlementState.COMPLETED, SettlementState.FAILED, SettlementState.REJECTED}
    ),
    SettlementState.FAILED: frozenset(
        {
            SettlementState.TOP_UP_WINDOW,
            SettlementState.ONCHAIN,
            SettlementState.COMPLETED,
            SettlementState.REJECTED,
        }
    ),
    SettlementState.COMPLETED: frozenset(),
    SettlementState.REJECTED: frozenset(),
}
"""The same table as the trigger ``settlement_transition`` holds."""


class SettlementType(StrEnum):
    ONCHAIN = "onchain"
    OFFCHAIN = "offchain"


@dataclass(frozen=True, slots=True)
class Settlement:
    """One signed instruction of a partner. ``due_at`` is when the worker must look at it next.

    An ``immediate`` one has no windows: it executes when it is asked for, or is failed until it is asked for again.
    """

    id: UUID
    partner_id: UUID
    external_id: str
    state: SettlementState
    settlement_type: SettlementType
    request_sha256: bytes
    staged_answer: str
    notes: str | None
    initiated_by: str
    cutoff_at: datetime | None
    created_at: datetime
    updated_at: datetime
    dispute_deadline_at: datetime
    top_up_deadline_at: datetime
    execute_when_funded: bool
    immediate: bool
    due_at: datetime | None
    attempts: int
    last_error: str | None
    finalized_at: datetime | None
    reason: str | None
    rt_id: str | None = None
    loss_sla_alert_sent: bool = False
    gain_sla_alert_sent: bool = False


@dataclass(frozen=True, slots=True)
class DueSettlement:
    """A settlement that the worker must look at."""

    id: UUID
    partner_id: UUID


@dataclass(frozen=True, slots=True)
class FundingGap:
    """By how much the partner's account is short of executing a settlement, in base units of one currency."""

    currency: str
    needed: int
    available: int

    @property
    def shortfall(self) -> int:
        return self.needed - self.available


@dataclass(frozen=True, slots=True)
class SettlementFilter:
    """What a list of settlements shows; ``own_connection_ids`` limits a client to its own.

    ``counterparty_connection_ids`` asks for transfers between one of these and a party that is asked for.
    """

    partner_ids: Sequence[UUID] | None = None
    own_connection_ids: Sequence[UUID] | None = None
    party_connection_ids: Sequence[UUID] | None = None
    counterparty_connection_ids: Sequence[UUID] | None = None
    settlement_ids: Sequence[UUID] | None = None
    external_ids: Sequence[str] | None = None
    states: Sequence[SettlementState] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    updated_on_or_after: datetime | None = None
    updated_before: datetime | None = None
    only_disputed: bool = False
    limit: int = 100
    offset: int = 0
