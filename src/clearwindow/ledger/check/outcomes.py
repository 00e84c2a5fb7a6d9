"""The outcome of the last check of each kind, recorded for the metrics. Protocol §10."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clearwindow.ledger.check.service import sql
from clearwindow.postgres.pool import Database


class CheckKind(StrEnum):
    """What was checked: all invariants of the books, or every kept signature and its record."""

    BOOKS = "books"
    SIGNATURES = "signatures"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended.

    Attributes:
        checked_at: when, by the network's clock.
        seconds: how long it took.
        violated: how many invariants are violated.
    """

    kind: CheckKind
    checked_at: datetime
    seconds: float
    violated: int


def record(database: Database, outcome: Outcome) -> None:
    """Records how a check ended, in a transaction of its own: the check itself writes nothing.

    Raises:
        psycopg.Error: the database takes no writes, such as a standby.
    """
    with database.transaction() as tx:
        tx.tell(
            sql["record_check"],
            kind=str(outcome.kind),
            checked_at=outcome.checked_at,
            seconds=outcome.seconds,
            violated=outcome.violated,
        )
