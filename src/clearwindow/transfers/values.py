"""Transfers and parties as values."""

from __future__ import annotations

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
class FinalAmount:
    """What a settlement finally moves to a connection, or from it where negative, in base units of one currency."""

    connection_id: UUID
    currency: str
    quantity: Decimal


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
