"""What a chain must do for us. A simulated chain is built in; a real one implements the same ``Chain``.

Calls leave the process and are made outside of any transaction. Each may be repeated at any time: a payment has an
id of ours, and a payment that is handed over twice is paid once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class ChainState(StrEnum):
    """The state of a transaction on the chain. ``confirmed`` and ``failed`` are final."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class Side(StrEnum):
    """The direction of a transfer: from a client to the partner, or from the partner to a client."""

    LOSS = "loss"
    GAIN = "gain"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay one transfer. Each attempt has its own ``id``; ``route_id`` is common to a settlement.

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
    """The state of a payment. ``tx_id`` is the chain's id of the transaction."""

    payment_id: UUID
    state: ChainState
    tx_id: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DepositReport:
    """What a partner's transaction paid to its deposit address, in base units of one currency."""

    state: ChainState
    quantity: int
    failure: str | None = None


class Chain(Protocol):
    def pay(self, payments: Sequence[Payment]) -> None:
        """Hands payments over. Those that the chain already has stay as they are."""
        ...

    def payments(self, payment_ids: Sequence[UUID]) -> list[PaymentReport]:
        """Returns the state of each payment that the chain has."""
        ...

    def deposit(self, partner_id: UUID, currency: str, tx_id: str) -> DepositReport | None:
        """Returns what the transaction paid to the partner's deposit address. None: the chain does not have it."""
        ...
