"""Transfers and parties as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class TransferStatus(StrEnum):
    PENDING = "pending"
    PENDING_ONCHAIN = "pending_onchain"
    ONCHAIN_INITIATED = "onchain_initiated"
    ONCHAIN_FAILED = "onchain_failed"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    DISPUTED = "disputed"
    PENDING_SETTLEMENT_ASSIGNMENT = "pending_settlement_assignment"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of one currency; positive from the partner's Go Account to the connection. Base units."""

    id: UUID
    partner_id: UUID
    settlement_id: UUID | None
    dispute_closure_id: UUID | None
    connection_id: UUID
    network_account_id: UUID
    currency: str
    quantity: Decimal
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TransferSearch:
    """Which transfers of any settlements a client is shown; ``own_connection_ids`` limits them to its own."""

    own_connection_ids: Sequence[UUID] = ()
    partner_ids: Sequence[UUID] | None = None
    settlement_ids: Sequence[UUID] | None = None
    settlement_states: Sequence[str] | None = None
    initiated_by: Sequence[str] | None = None
    settlement_updated_on_or_after: datetime | None = None
    settlement_updated_before: datetime | None = None
    currencies: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    ascending: bool = False
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Party:
    """One connection's part in one settlement."""

    settlement_id: UUID
    partner_id: UUID
    connection_id: UUID
    dispute_deadline_at: datetime
    disputed: bool
    has_new_transfers: bool


@dataclass(frozen=True, slots=True)
class UnfitAmount:
    """An amount that its currency cannot carry, as it was given."""

    connection_id: UUID
    currency_number: int
    amount: Decimal
    problem: str
