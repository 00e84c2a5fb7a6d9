"""What can be moved of a balance, and what keeps the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from clearwindow.ledger.models import Balance, HoldCause


@dataclass(frozen=True, slots=True)
class HeldFor:
    """An amount of one currency that an account holds for an open cause, in base units."""

    cause: HoldCause
    cause_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Funds:
    """A balance with its largest holds. ``hold_count``: how many it has in all."""

    balance: Balance
    holds: Sequence[HeldFor] = ()
    hold_count: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing can be moved: the name that an error would have, and what is paused if that is why."""

    name: str
    pause: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Movable:
    """The largest amount that would be accepted now, in base units. If it is 0, ``reasons`` say why."""

    largest: int
    reasons: Sequence[Reason] = ()


@dataclass(frozen=True, slots=True)
class OfConnection:
    """What can be moved between a client's Go Account and one connection, in one currency."""

    currency: str
    go_account: Funds
    network_account: Funds
    allocation: Movable
    deallocation: Movable


@dataclass(frozen=True, slots=True)
class OfAccount:
    """What can be withdrawn from a Go Account, in one currency."""

    currency: str
    funds: Funds
    withdrawal: Movable
