"""Transfers and parties of settlements; and the filters of their lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from clearwindow.ledger.models import Balance
from clearwindow.postgres.paging import FIRST_PAGE, Slice
from clearwindow.postgres.queries import Relation


class TransferStatus(StrEnum):
    """The states of a transfer on the wire."""

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
    """What a settlement moves once its disputes are known: + to the connection, - from it, in base units.

    Without a counterparty connection, the other side is the partner's Go Account.
    """

    counterparty_connection_id: UUID | None
    connection_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of one currency in base units: + from the counterparty to the connection, - the other way.

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
    quantity: int
    status: TransferStatus
    created_at: datetime
    updated_at: datetime
    tx_ids: list[str]

    @property
    def connection_ids(self) -> tuple[UUID, ...]:
        """Returns the one or two connections that it moves money of."""
        other = self.counterparty_connection_id
        return (self.connection_id,) if other is None else (self.connection_id, other)


@dataclass(frozen=True, slots=True)
class TransferSearch:
    """What a list of a client's transfers shows. ``own_connection_ids`` limits it to the client's own."""

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
    part: Slice = FIRST_PAGE


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
class AmountArrays:
    """The amounts of a request, as the arrays in which they travel to the database.

    Attributes:
        connection_ids: each connection once.
        account_ids: their network accounts.
        places: of each amount, the place of its connection from 1.
        sources: of each amount between two connections, the place of the source. Else None.
        currency_numbers: of each amount, the number of its currency from 1.
        amounts: as they were written.
    """

    connection_ids: Sequence[UUID]
    account_ids: Sequence[UUID]
    places: Sequence[str]
    sources: Sequence[str] | None
    currency_numbers: Sequence[str]
    amounts: Sequence[str]

    def values(self) -> dict[str, object]:
        """Returns them as a statement takes them. What is long is a text: 100 000 numbers are soon written so."""
        return {
            "connection_ids": list(self.connection_ids),
            "account_ids": list(self.account_ids),
            "places": _array_text(self.places),
            "sources": None if self.sources is None else _array_text(self.sources),
            "currency_numbers": _array_text(self.currency_numbers),
            "amounts": _array_text(self.amounts),
        }


def _array_text(numbers: Iterable[str]) -> str:
    return "{" + ",".join(numbers) + "}"


@dataclass(frozen=True, slots=True)
class Run:
    """What executing a settlement moves: the query for each balance, and what connections gain together."""

    moves: Relation
    net: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a connection gains (+) or loses (-) of one currency to one counterparty. None: to the partner."""

    counterparty_connection_id: UUID | None
    counterparty_account_id: UUID | None
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Objections:
    """The disputes of a settlement that were not retracted.

    Attributes:
        standing: disputes without an approved closure, earliest first, each with its connection.
        upheld: connections whose transfers an operator's approved adjustment has replaced.
    """

    standing: Mapping[UUID, UUID]
    upheld: frozenset[UUID] = frozenset()


NO_OBJECTIONS: Final = Objections({})


@dataclass(frozen=True, slots=True)
class DisputeTarget:
    """What the transfers that a dispute stops would take from one balance. ``rank``: which dispute came first."""

    dispute_id: UUID
    rank: int
    account_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """What a list of a settlement's transfers shows.

    Attributes:
        own_connection_ids: limits a client to its own transfers, on either side.
        from_partner: also those from the partner's Go Account, beside those from the counterparty connections.
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
class LossBeyondLimit:
    """A connection that would lose more of a currency than its client allows."""

    connection_id: UUID
    currency: str


@dataclass(frozen=True, slots=True)
class UnfitAmount:
    """An amount of a request that its currency cannot carry. ``amount`` is as the partner wrote it."""

    connection_id: UUID
    counterparty_connection_id: UUID | None
    currency_number: int
    amount: Decimal
    problem: str


@dataclass(frozen=True, slots=True)
class WantedTransfers:
    """Which transfers of a settlement a reader asks for, and which page of them."""

    source_network_account_ids: Sequence[UUID] | None = None
    source_trading_account_ids: Sequence[UUID] | None = None
    destination_network_account_ids: Sequence[UUID] | None = None
    destination_trading_account_ids: Sequence[UUID] | None = None
    currencies: Sequence[str] | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Direction:
    """Whether the reader's connections receive or send in a settlement."""

    settlement_id: UUID
    receives: bool
    sends: bool


@dataclass(frozen=True, slots=True)
class TradingAccounts:
    """The Go Accounts that a reader may know: the partner's, and those of clients by connection."""

    partner: UUID
    clients: Mapping[UUID, UUID]


@dataclass(frozen=True, slots=True)
class PreviewedBalance:
    """What a settlement that is not stored would do to one balance, in base units.

    Attributes:
        gained: by the new transfers.
        lost: by the new transfers, without a sign.
        pulled_in: by the transfers of the closures that it would take: + the connection gains.
        liability: what it would hold.
        available: what is there for the liability, with what these closures' disputes hold. None: no liability.
        shortfall: how much of the liability is not covered.
    """

    connection_id: UUID
    account_id: UUID
    currency: str
    gained: int
    lost: int
    pulled_in: int
    liability: int
    available: int | None
    shortfall: int

    def with_available(self, balances: Mapping[UUID, Mapping[str, Balance]]) -> PreviewedBalance:
        """Returns it with what the balance has, if nothing of it would be held."""
        if self.available is not None:
            return self
        found = balances[self.account_id].get(self.currency)
        return replace(self, available=found.available if found else 0)


@dataclass(frozen=True, slots=True)
class PreviewedTotal:
    """The sums of one currency, in base units.

    Attributes:
        balances: how many it would change.
        short: how many of them do not cover their liability.
        from_partner: what the partner's account pays if nobody disputes. Negative: it gains.
        from_partner_at_most: what it pays if everybody disputes who loses to it.
    """

    currency: str
    balances: int
    gained: int
    lost: int
    pulled_in: int
    liability: int
    shortfall: int
    short: int
    from_partner: int
    from_partner_at_most: int
