"""A trade that a partner is about to report."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TradedAmount:
    """One side of a trade, in the partner's own currency name and unit."""

    currency: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Trade:
    """The parts of a trade that the network checks: its connections and its amounts."""

    party_connection_id: UUID
    counterparty_connection_id: UUID | None
    base: TradedAmount
    quote: TradedAmount
