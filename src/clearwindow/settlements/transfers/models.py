"""Transfers and parties as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
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
    """What a settlement finally moves to a connection, or from it where negative, in base units of one currency.

    Without a counterparty connection, it is between the connection and the partner's Go Account.
    """

    counterparty_connection_id: UUID | None
    connection_id: UUID
    currency: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of one currency, in base units; positive to the connection, from the counterparty.

    Without a counterparty connection, the counterparty is the partner's Go Account.
    """

    id: UUID
    partner_id: UUID
    settlement_id: UUID | None
    dispute_closure_id: UUID | None
    connection_id: UUID
    network_account_id: UUID
    counterparty_connection_id: UUID | None
    counterparty_account_id: UUID | None
    currency: str
    quantity: Decimal
    status: str
    created_at: datetime
    updated_at: datetime
    tx_ids: list[str]

    @property
    def connection_ids(self) -> tuple[UUID, ...]:
        """The connections on its sides: one or two."""
        other = self.counterparty_connection_id
        return (self.connection_id,) if other is None else (self.connection_id, other)


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
class Quantity:
    """What a connection gains or loses of one currency against one counterparty; None: against the partner."""

    counterparty_connection_id: UUID | None
    counterparty_account_id: UUID | None
    currency: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Objections:
    """How the disputes of a settlement stand.

    ``standing``: dispute to connection, of those without an approved closure, the earliest first.
    ``upheld``: the connections whose dispute an operator's approved adjustment has replaced.
    """

    standing: Mapping[UUID, UUID]
    upheld: frozenset[UUID] = frozenset()


NO_OBJECTIONS: Final = Objections({})


@dataclass(frozen=True, slots=True)
class DisputeTarget:
    """What the transfers that a dispute keeps from running would take from one balance."""

    dispute_id: UUID
    account_id: UUID
    currency: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """Which transfers of a settlement are shown; ``own_connection_ids`` limits a client to its own, on either side.

    ``from_partner`` adds those from the partner's Go Account to those from the counterparty connections.
    """

    own_connection_ids: Sequence[UUID] | None = None
    connection_ids: Sequence[UUID] | None = None
    counterparty_connection_ids: Sequence[UUID] | None = None
    from_partner: bool = False
    account_ids: Sequence[UUID] | None = None
    counterparty_account_ids: Sequence[UUID] | None = None
    currencies: Sequence[str] | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class UnfitAmount:
    """An amount that its currency cannot carry, as it was given."""

    connection_id: UUID
    counterparty_connection_id: UUID | None
    currency_number: int
    amount: Decimal
    problem: str
