"""What a chain must do for us. A simulated one is built in; a real one goes in the same place.

Every call goes out of the process and is made outside any transaction. A call may be repeated at any time: a
payment is known by our id of it, and handing the same id over twice pays once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class ChainState(StrEnum):
    """What the chain says of a transaction; ``confirmed`` and ``failed`` never change again."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class Side(StrEnum):
    """Which way a transfer goes: from a client to the partner, or from the partner to a client."""

    LOSS = "loss"
    GAIN = "gain"


@dataclass(frozen=True, slots=True)
class Payment:
    """One try to carry one transfer. ``id`` is this try's alone; ``route_id`` groups those of one settlement.

    A loss goes from the custody of the network account to the partner's own wallet, a gain from the custody of the
    partner's Go Account to that of the network account. ``quantity`` is in base units.
    """

    id: UUID
    transfer_id: UUID
    partner_id: UUID
    network_account_id: UUID
    side: Side
    currency: str
    quantity: int
    route_id: str | None


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """What became of a payment. ``tx_id`` is the chain's own name of the transaction that carries it."""

    payment_id: UUID
    state: ChainState
    tx_id: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DepositReport:
    """What a partner's transaction brought to its deposit address, in base units of one currency."""

    state: ChainState
    quantity: int
    failure: str | None = None


class Chain(Protocol):
    def pay(self, payments: Sequence[Payment]) -> None:
        """Hands payments over; those that the chain has already are left as they are."""
        ...

    def payments(self, payment_ids: Sequence[UUID]) -> list[PaymentReport]:
        """What became of each; a payment that the chain does not have is left out."""
        ...

    def deposit(self, partner_id: UUID, currency: str, tx_id: str) -> DepositReport | None:
        """What this transaction brought to the partner's deposit address; None where the chain has none such."""
        ...
