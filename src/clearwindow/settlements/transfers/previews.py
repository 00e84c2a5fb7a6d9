"""Reads of what a settlement would do that is not stored.

They run the statements of stored settlements over other transfers: those of a request's amounts, and those of the
closures that it would take. So a preview and the staging that follows it decide by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from clearwindow.core.ids import NIL
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Shortfall
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Listing, Slice, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Relation
from clearwindow.settlements.transfers import store
from clearwindow.settlements.transfers.models import AmountArrays, LossBeyondLimit, PreviewedBalance, PreviewedTotal

_TRANSFERS: Final = Relation(store.sql["previewed_transfers"], {})


@dataclass(frozen=True, slots=True)
class Previewed:
    """A settlement that is not stored.

    Attributes:
        amounts: of the request, all of which can be transfers.
        currencies: of the amounts, our names.
        decimals: of the amounts, to scale by.
        closure_ids: of the closures that it would take.
        dispute_ids: of their disputes, whose holds it would take over.
    """

    amounts: AmountArrays
    currencies: Sequence[str]
    decimals: Sequence[int]
    closure_ids: Sequence[UUID]
    dispute_ids: Sequence[UUID]

    def values(self) -> dict[str, object]:
        units = store.units(self.currencies, self.decimals)
        return self.amounts.values() | units | {"closure_ids": list(self.closure_ids)}


def list_balances(tx: Transaction, previewed: Previewed, page: Slice) -> Listing[PreviewedBalance]:
    """Returns a page of the balances that it would change: those that are short first."""
    statement, values = _over_coverage("previewed_balances", previewed)
    return list_page(tx, PreviewedBalance, statement, values, limit=page.limit, offset=page.offset)


def totals(tx: Transaction, previewed: Previewed) -> list[PreviewedTotal]:
    """Returns what it would do, by currency."""
    statement, values = _over_coverage("previewed_totals", previewed)
    return tx.all(PreviewedTotal, statement, **values)


def shortfalls(tx: Transaction, previewed: Previewed) -> list[Shortfall]:
    """Returns the liabilities for which staging would be refused."""
    statement, values = _over_coverage("previewed_shortfalls", previewed)
    return tx.all(Shortfall, statement, **values)


def ask_losses_beyond_limits(
    tx: Transaction, previewed: Previewed, partner_id: UUID, day_from: datetime, day_until: datetime
) -> Later[list[LossBeyondLimit]]:
    """Returns later where it would take more than clients allow on this day."""
    statement = store.sql.over("previewed_losses_beyond_limits", transfer=_TRANSFERS)
    values = previewed.values() | {"settlement_id": NIL, "day_from": day_from, "day_until": day_until}
    return store.ask_beyond_limits(tx, partner_id, statement, values)


def _over_coverage(name: str, previewed: Previewed) -> tuple[LiteralString, Mapping[str, object]]:
    liability = Relation(store.sql.over("liabilities", transfer=_TRANSFERS), previewed.values())
    coverage = ledger.coverage(liability, previewed.dispute_ids)
    return store.sql.over(name, transfer=_TRANSFERS, coverage=coverage), coverage.values
