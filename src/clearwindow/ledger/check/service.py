"""The check of the whole network in one snapshot, for the operator's API and ``clearwindow check``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


def check_ledger(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants.

    The transaction must be new. It becomes a read-only snapshot, so that all statements see the same moment while
    other transactions move money.
    """
    tx.run(sql["begin_snapshot"])
    return findings(tx)


def findings(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants as this transaction sees them, including its uncommitted changes."""
    found = (finding(tx, statement_of(name), name, message) for name, message in INVARIANTS.items())
    return [violated for violated in found if violated is not None]


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
