"""The check of the whole network in one snapshot, for the operator's API and ``clearwindow check``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, LiteralString

from clearwindow.ledger.check.invariants import INVARIANTS, statement_of
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.ledger.check")

ROWS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated invariant: the number of rows that violate it, and the first of them."""

    invariant: str
    message: str
    count: int
    rows: tuple[Mapping[str, str | None], ...]

    @property
    def details(self) -> dict[str, object]:
        return {"count": self.count, "rows": list(self.rows)}


@dataclass(frozen=True, slots=True)
class Checked:
    """One invariant that was just checked: the ``number``-th ``of`` so many, ``seconds`` after the first began."""

    number: int
    of: int
    message: str
    seconds: float


def check_ledger(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants.

    The transaction must be new. It becomes a read-only snapshot, so that all statements see the same moment while
    other transactions move money. Each statement has the session's time limit.
    """
    tx.run(sql["begin_snapshot"])
    return findings(tx)


def check_whole_ledger(tx: Transaction, on_checked: Callable[[Checked], None]) -> list[Finding]:
    """Returns the same, however long it takes, and tells after each invariant how far it is.

    It writes nothing, also no temporary table, so that a standby can run it.
    """
    tx.run(sql["begin_snapshot"])
    tx.run(sql["take_the_time_it_needs"])
    return findings(tx, on_checked)


def findings(tx: Transaction, on_checked: Callable[[Checked], None] = lambda _: None) -> list[Finding]:
    """Returns the violated invariants as this transaction sees them, including its uncommitted changes."""
    began_at, violated = monotonic(), []
    for number, (name, message) in enumerate(INVARIANTS.items(), 1):
        found = finding(tx, statement_of(name), name, message)
        violated += [found] if found else []
        on_checked(Checked(number, len(INVARIANTS), message, monotonic() - began_at))
    return violated


def finding(tx: Transaction, statement: LiteralString, invariant: str, message: str) -> Finding | None:
    """Returns the rows that a statement finds, which violate an invariant; None if there are none."""
    broken = tx.records(statement, limit=ROWS_SHOWN, now=tx.now())
    if not broken:
        return None
    count = int(str(broken[0]["total"]))
    rows = [
        {name: None if value is None else str(value) for name, value in row.items() if name != "total"}
        for row in broken
    ]
    return Finding(invariant, f"violated: {message}", count, tuple(rows))
