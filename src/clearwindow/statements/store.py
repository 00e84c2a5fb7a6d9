"""Reads of one account: what entries changed of it, what it holds, and what that is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.core.clock import parse_rfc3339
from clearwindow.ledger.models import Balance
from clearwindow.postgres.paging import Listing, Order, Slice, keyset_page, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.statements.models import (
    ANOTHER_CLIENT,
    THE_PARTNER,
    Cause,
    EntrySearch,
    HeldAmount,
    Moved,
    NetOrder,
    Period,
    StatedAccount,
    StatementEntry,
)

sql: Final = Queries("clearwindow.statements")
_BY_SIDES: Final = Order({"connection_id": UUID, "other_id": UUID, "currency": str}, descending=False)
_IN_ORDER: Final = Order({"created_at": datetime, "number": int, "currency": str}, descending=False)


@dataclass(frozen=True, slots=True)
class _MovedRow:
    currency: str
    available: int
    held: int
    available_later: int
    held_later: int

    def moved(self) -> Moved:
        later = Balance(self.available_later, self.held_later)
        return Moved(self.currency, Balance(self.available, self.held), later)


def find_account(tx: Transaction, account_id: UUID) -> StatedAccount | None:
    return tx.first(StatedAccount, sql["find_account"], id=account_id)


def moved_since(tx: Transaction, account: StatedAccount, period: Period) -> list[Moved]:
    """Returns what entries have changed since the beginning of the period and since its end.

    Without a beginning, only what they have changed since its end.
    """
    since = period.on_or_after or period.before
    if since is None:
        return []
    values = _account_values(account) | {"on_or_after": since, "before": None, "closing_at": period.before}
    return [row.moved() for row in tx.all(_MovedRow, sql["moved"], **values)]


def list_entries(tx: Transaction, account: StatedAccount, wanted: EntrySearch) -> Listing[StatementEntry]:
    """Returns a page of what entries changed of the account, the oldest first."""
    values = _account_values(account) | {
        "on_or_after": _from_place(wanted),
        "before": wanted.period.before,
        "currencies": None if wanted.currencies is None else list(wanted.currencies),
        "kinds": None if wanted.kinds is None else [str(kind) for kind in wanted.kinds],
    }
    return keyset_page(tx, StatementEntry, sql["list_entries"], values, _IN_ORDER, wanted.part)


def list_held(tx: Transaction, account: StatedAccount, limit: int) -> Listing[HeldAmount]:
    """Returns what the account holds now, by currency, the largest first."""
    values = {"account_id": account.id, "connection_id": account.connection_id}
    return list_page(tx, HeldAmount, sql["list_held"], values, limit=limit, offset=0)


def causes_of(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Cause]:
    """Returns what is known of settlements, allocations, disputes, closures and deposits on chain, by id."""
    return {cause.id: cause for cause in tx.all(Cause, sql["list_causes"], ids=list(set(ids)))}


def list_net_orders(
    tx: Transaction,
    settlement_id: UUID,
    own: Sequence[UUID] | None,
    currencies: Sequence[str] | None,
    part: Slice,
) -> Listing[NetOrder]:
    """Returns a page of what the sides of a settlement pay each other.

    ``own``: the connections of the client who reads; None: all.
    """
    values = {
        "settlement_id": settlement_id,
        "own": None if own is None else list(own),
        "currencies": None if currencies is None else list(currencies),
        "partner": THE_PARTNER,
        "another": ANOTHER_CLIENT,
    }
    return keyset_page(tx, NetOrder, sql["list_net_orders"], values, _BY_SIDES, part)


def _account_values(account: StatedAccount) -> dict[str, object]:
    return {"account_id": account.id, "account_number": account.number, "connection_id": account.connection_id}


def _from_place(wanted: EntrySearch) -> datetime | None:
    """Returns the earliest time that a row of the page can have. Rows that were read before are not older."""
    since = wanted.period.on_or_after
    after = parse_rfc3339(wanted.part.after[0]) if wanted.part.after else None
    return max((moment for moment in (since, after) if moment is not None), default=None)
