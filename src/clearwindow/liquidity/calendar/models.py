"""Deadlines of open settlements, and what each settlement takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearwindow.postgres.paging import Listing
from clearwindow.settlements.models import SettlementState


class DeadlineKind(StrEnum):
    """What ends, or happens, at a deadline."""

    DISPUTE_WINDOW_ENDS = "dispute_window_ends"
    TOP_UP_WINDOW_ENDS = "top_up_window_ends"
    CLOSURES_RUN = "closures_run"
    """The settlement was rejected, and the closures that it had taken execute."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline of an open settlement. ``paused``: something of the settlement is paused."""

    at: datetime
    kind: DeadlineKind
    settlement_id: UUID
    external_id: str
    partner_id: UUID
    state: SettlementState
    paused: bool


@dataclass(frozen=True, slots=True)
class DeadlineFilter:
    """Selects deadlines. None means no restriction. ``before`` is exclusive."""

    on_or_after: datetime | None
    before: datetime | None
    kinds: Sequence[DeadlineKind] | None


@dataclass(frozen=True, slots=True)
class Part:
    """What a settlement does to a client's connection in one currency, in base units.

    Attributes:
        quantity: the sum of the transfers that run if disputes stay as they are, + the connection gains.
        held: what the settlement holds of it.
    """

    connection_id: UUID
    currency: str
    quantity: int
    held: int


@dataclass(frozen=True, slots=True)
class PartnerCalendar:
    """A page of deadlines. ``changes``: of the partner's account, by settlement and currency, + it gains."""

    page: Listing[Deadline]
    changes: Mapping[UUID, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class ClientCalendar:
    """A page of deadlines. ``parts``: what each settlement does to the client's connections."""

    page: Listing[Deadline]
    parts: Mapping[UUID, Sequence[Part]]
