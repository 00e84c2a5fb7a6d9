"""Reads and writes of limits of loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.loss_limits.models import Limits, Owned, Standing
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.loss_limits")


@dataclass(frozen=True, slots=True)
class _Row:
    currency: str
    per_settlement: int | None
    per_day: int | None
    next_per_settlement: int | None
    next_per_day: int | None
    next_from: datetime | None

    @property
    def standing(self) -> Standing:
        limits = Limits(self.per_settlement, self.per_day)
        if self.next_from is None:
            return Standing(limits)
        return Standing(limits, Limits(self.next_per_settlement, self.next_per_day), self.next_from)


def limits_of(tx: Transaction, connection_id: UUID) -> dict[str, Standing]:
    """Returns what is stored for the connection, by our currency name."""
    rows = tx.all(_Row, sql["list_limits"], connection_id=connection_id)
    return {row.currency: row.standing for row in rows}


def put(tx: Transaction, owned: Owned, user_id: str, limits: Mapping[str, Standing]) -> None:
    """Stores the limits of these currencies. Those of others stay."""
    nexts = [one.next_limits or Limits() for one in limits.values()]
    tx.run(
        sql["put_limits"],
        partner_id=owned.partner_id,
        connection_id=owned.connection_id,
        currencies=list(limits),
        per_settlement=[one.limits.per_settlement for one in limits.values()],
        per_day=[one.limits.per_day for one in limits.values()],
        next_per_settlement=[one.per_settlement for one in nexts],
        next_per_day=[one.per_day for one in nexts],
        next_from=[one.next_from for one in limits.values()],
        user_id=user_id,
        now=tx.now(),
    )
