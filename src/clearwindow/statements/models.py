"""Statements of accounts, their entries, and what is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.core.ids import NIL
from clearwindow.ledger.models import AccountKind, Balance, EntryKind, HoldCause
from clearwindow.postgres.paging import FIRST_PAGE, Listing, Slice


@dataclass(frozen=True, slots=True)
class StatedAccount:
    """An account, and whose it is.

    Attributes:
        number: the number under which the journal has it.
        enterprise_id: the owner of a Go Account, or the client of a network account.
        label: what its owner calls it: the label of a Go Account, the name of a connection.
        connection_id: of a network account.
        partner_enterprise_id: of a network account, the partner at which its funds are.
    """

    id: UUID
    number: int
    kind: AccountKind
    enterprise_id: str
    label: str | None
    connection_id: UUID | None
    partner_enterprise_id: str | None

    def is_readable_by(self, enterprise_id: str) -> bool:
        """Returns whether a member of the enterprise may read its statement: both sides of a connection may."""
        return enterprise_id in (self.enterprise_id, self.partner_enterprise_id)


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a statement is about, as its reader asked for it.

    None: from the account's beginning, and to now.
    """

    on_or_after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What entries have changed of one currency, in base units: all since a moment, and those since a later one."""

    currency: str
    since_opening: Balance
    since_closing: Balance


@dataclass(frozen=True, slots=True)
class StatedBalances:
    """The balances of one currency at both ends of a period, and what changed between, in base units."""

    opening: Balance
    change: Balance
    closing: Balance


@dataclass(frozen=True, slots=True)
class HeldAmount:
    """An amount, in base units, that is held for one open cause."""

    cause: HoldCause
    cause_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Cause:
    """What an entry or a hold is for.

    Attributes:
        settlement_id: the settlement that it is about; of a dispute or its closure, the disputed one.
        external_id: the caller's own id of the settlement or allocation.
        partner_name: of the partner at which it happens.
    """

    id: UUID
    settlement_id: UUID | None = None
    dispute_id: UUID | None = None
    external_id: str | None = None
    partner_name: str | None = None


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """What one journal entry changed of one currency of the account, in base units.

    ``id`` and ``number`` are those of the entry.
    """

    id: UUID
    number: int
    kind: EntryKind
    cause_id: UUID
    reference: str | None
    created_at: datetime
    currency: str
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class EntrySearch:
    """Selects entries of one account."""

    period: Period = Period()
    currencies: Sequence[str] | None = None
    kinds: Sequence[EntryKind] | None = None
    part: Slice = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class Statement:
    """An account over a period.

    Attributes:
        read_at: when it was read. A period without an end ends then.
        balances: by our currency name.
        held: what is held at the end and why, at most so many; None if the period ended before it was read.
        held_total: how many there are.
        causes: what the held amounts are for.
    """

    account: StatedAccount
    period: Period
    read_at: datetime
    balances: Mapping[str, StatedBalances]
    held: Sequence[HeldAmount] | None
    held_total: int
    causes: Mapping[UUID, Cause]


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries, and what they are for."""

    page: Listing[StatementEntry]
    causes: Mapping[UUID, Cause]


THE_PARTNER: Final = NIL
ANOTHER_CLIENT: Final = UUID(int=2**128 - 1)
"""As the other side of a net order. A client does not learn which."""


@dataclass(frozen=True, slots=True)
class NetOrder:
    """What is left to pay between two sides of a settlement, of one currency, in base units.

    Attributes:
        other_id: the other connection, ``THE_PARTNER`` or ``ANOTHER_CLIENT``.
        quantity: + the connection gets it from the other side, - it pays it.
        transfers: of how many transfers it is the sum.
    """

    connection_id: UUID
    account_id: UUID
    other_id: UUID
    other_account_id: UUID | None
    currency: str
    quantity: int
    transfers: int


@dataclass(frozen=True, slots=True)
class NetOrders:
    """A page of the net orders of a settlement, and the partner's Go Account."""

    page: Listing[NetOrder]
    partner_account_id: UUID
