"""On-chain settlements, deposits and transactions of the simulated chain; and the filters of their lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from clearwindow.postgres.paging import FIRST_PAGE, Slice
from clearwindow.settlements.onchain.chain import ChainState, Side


class Phase(StrEnum):
    """What an on-chain settlement waits for: its losses, then the partner's deposits, then its gains."""

    LOSSES = "losses"
    DEPOSITS = "deposits"
    GAINS = "gains"


class DepositStatus(StrEnum):
    """The states of a deposit. ``confirmed``: held for its settlement. ``spent``: the gains are paid from it."""

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
"""The trigger ``onchain_deposit_transition`` enforces the same table."""


@dataclass(frozen=True, slots=True)
class Sla:
    """When a side must have completed, and when the partner is alerted before that."""

    alert_at: datetime
    breach_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """The phase of an on-chain settlement and the times of its alerts. None: nothing is promised."""

    settlement_id: UUID
    partner_id: UUID
    phase: Phase
    loss_alert_at: datetime | None
    loss_sla_at: datetime | None
    gain_alert_at: datetime | None
    gain_sla_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """The transfers of one side by state. ``exhausted``: failed transfers that wait for a retry by a person."""

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
    def on_the_chain(self) -> int:
        """Returns the number of transfers that the chain has or has paid."""
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
    quantity: int | None
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
    side: Side
    quantity: int


@dataclass(frozen=True, slots=True)
class NewDeposits:
    """The transactions by which a partner funds a settlement: its currency name and the chain's id of each."""

    external_settlement_id: str
    settlement_id: UUID | None
    transactions: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DepositFilter:
    """What a list of deposits shows."""

    partner_ids: Sequence[UUID] | None = None
    settlement_ids: Sequence[UUID] | None = None
    statuses: Sequence[str] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    part: Slice = FIRST_PAGE


class ChainAction(StrEnum):
    """What an operator makes the simulated chain do with a pending transaction."""

    CONFIRM = "confirm"
    FAIL = "fail"
    WITHHOLD = "withhold"


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction on the simulated chain. A withheld one confirms only when an operator confirms it."""

    id: UUID
    partner_id: UUID
    kind: str
    tx_id: str
    payment_id: UUID | None
    transfer_id: UUID | None
    route_id: str | None
    currency: str
    quantity: int
    state: ChainState
    withheld: bool
    failure: str | None
    confirms_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChainDeposit:
    """A deposit that the simulated chain is to have: our currency name, base units."""

    partner_id: UUID
    currency: str
    quantity: int
    tx_id: str
    withheld: bool


@dataclass(frozen=True, slots=True)
class ChainFilter:
    """What a list of the simulated chain's transactions shows."""

    partner_ids: Sequence[UUID] | None = None
    transfer_ids: Sequence[UUID] | None = None
    kinds: Sequence[str] | None = None
    states: Sequence[str] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    part: Slice = FIRST_PAGE
