"""The state of the network in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearwindow.settlements.models import SettlementState


@dataclass(frozen=True, slots=True)
class OpenSettlements:
    """The settlements in one state that have not ended, or whose closures still run.

    Attributes:
        count: how many there are.
        late_seconds: how long the next step of one of them has been due, at most; 0 if none is late. Failed ones
            wait for money and have no step.
    """

    state: SettlementState
    count: int
    late_seconds: float


@dataclass(frozen=True, slots=True)
class Archive:
    """PostgreSQL's archive of its log, from which a database is restored to a moment.

    Attributes:
        failed: how often archiving has failed.
        failing: whether the last attempt failed.
        last_archived_seconds: how long ago a piece of the log was archived. None if none ever was.
    """

    failed: int
    failing: bool
    last_archived_seconds: float | None


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The last check of one kind.

    Attributes:
        kind: of the books, or of the signatures.
        age_seconds: how long ago it was made.
        seconds: how long it took.
        violated: how many invariants it found violated.
    """

    kind: str
    age_seconds: float
    seconds: float
    violated: int


@dataclass(frozen=True, slots=True)
class LockWaits:
    """The sessions of this database that wait for a lock now, and for how long the longest of them does."""

    count: int
    longest_seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for people, and what does not work.

    Attributes:
        disputes_open: stand, and nobody has closed them.
        closures_pending: wait for an operator's review.
        proposals_pending: wait for an operator's approval.
        circuits_open: partners that are not called, because their endpoints failed.
        webhook_endpoints_disabled: get no messages.
    """

    disputes_open: int
    closures_pending: int
    proposals_pending: int
    circuits_open: int
    webhook_endpoints_disabled: int


@dataclass(frozen=True, slots=True)
class NetworkState:
    """``archive``: None if the database archives nothing, or does not say."""

    settlements: Sequence[OpenSettlements]
    waiting: Waiting
    checks: Sequence[LastCheck]
    lock_waits: LockWaits
    archive: Archive | None
