"""What is known of open settlements, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.postgres.paging import Listing
from clearwindow.settlements.models import FundingGap, Settlement, SettlementState


class Outcome(StrEnum):
    """What a step of a settlement comes to."""

    AMOUNTS_BECOME_FINAL = "amounts_become_final"
    """The dispute window ends, and the top-up window begins."""
    COMPLETES = "completes"
    COMPLETES_IF_FUNDED = "completes_if_funded"
    """The same for a client, who does not see what its partner has."""
    CLOSURES_RUN = "closures_run"
    """The settlement was rejected, and the adjusted transfers that it had taken execute."""
    WAITS_FOR_FUNDS = "waits_for_funds"
    """The partner is short, and the step is tried again: at the deadline, or when money comes."""
    FAILS_FOR_LACK_OF_FUNDS = "fails_for_lack_of_funds"
    WAITS_FOR_RESUME = "waits_for_resume"
    """Something of it is paused."""


class DisputesAre(StrEnum):
    """How a forecast takes the open disputes: as they stand, or as if each were retracted inside the window."""

    STANDING = "standing"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class Pending:
    """An open settlement of a partner: its state, the time of its next step, and what executing it changes.

    Attributes:
        change: how much the partner's account changes by currency, in base units.
        paused: it touches something that is paused. Its window ends all the same.
    """

    id: UUID
    external_id: str
    created_at: datetime
    state: SettlementState
    due_at: datetime | None
    top_up_deadline_at: datetime
    execute_when_funded: bool
    closures_wait: bool
    paused: bool
    change: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a settlement.

    Attributes:
        state: the state after it.
        available: what the partner's account has available before it, of each currency that the settlement changes.
        gaps: what the partner is short of.
        top_ups: what standing top-ups bring, by currency.
    """

    at: datetime
    outcome: Outcome
    state: SettlementState
    available: Mapping[str, int]
    gaps: Sequence[FundingGap] = ()
    top_ups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What an open dispute keeps from running on one balance, and what it holds of it, in base units."""

    quantity: int
    held: int


@dataclass(frozen=True, slots=True)
class Stake:
    """What a settlement does to one balance of a connection.

    Attributes:
        quantity: the sum of the transfers that run, + the connection gains.
        held: what the settlement holds. Inside the dispute window it is the most that the settlement can take.
        targets: what open disputes keep from running, earliest dispute first.
        held_for_closures: what disputes hold whose closure is approved.
    """

    connection_id: UUID
    account_id: UUID
    currency: str
    quantity: int
    held: int
    targets: Sequence[Target] = ()
    held_for_closures: int = 0


@dataclass(frozen=True, slots=True)
class StakeAfter:
    """The balance of a stake after a step.

    Attributes:
        moves: what the step moves to the account (+) or from it (-).
        available: how much the available balance changes by the step.
        held: what the settlement and its disputes hold afterwards.
        held_for_disputes: the part of that which disputes hold.
    """

    moves: int
    available: int
    held: int
    held_for_disputes: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a settlement means for the partner's account in one currency, in base units.

    Attributes:
        change: by executing the transfers that run.
        available: what the account has now.
        most_needed: the most that executing can take, whoever disputes until the window ends.
    """

    currency: str
    change: int
    available: int
    most_needed: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What happens if nothing changes. ``account`` is empty in a client's forecast. ``page``: of the stakes."""

    disputes: DisputesAre
    steps: Sequence[Step]
    account: Sequence[Account]
    page: Listing[Stake]


@dataclass(frozen=True, slots=True)
class SettlementForecast:
    """The forecasts of one settlement.

    Attributes:
        open_disputes: how many disputes of the reader's part may still be closed or retracted.
        considered: how many open settlements of the partner were looked at. 0 in a client's forecast.
        whole: whether these were all.
    """

    settlement: Settlement
    as_of: datetime
    open_disputes: int
    considered: int
    whole: bool
    forecasts: Sequence[Forecast]
