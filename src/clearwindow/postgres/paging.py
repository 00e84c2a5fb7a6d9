"""One page of a list, and the number of all its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, LiteralString, TypeVar

from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.rows import model_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    items: list[T]
    total: int


def list_page(
    tx: Transaction,
    into: Callable[..., T],
    statement: LiteralString,
    values: Mapping[str, object],
    *,
    limit: int,
    offset: int,
) -> Listing[T]:
    """Returns one page of a list. The statement must have ``count(*) OVER () AS total`` beside its columns."""
    records = tx.records(statement, **values, limit=limit, offset=offset)
    items = [
        model_of(into, {name: value for name, value in record.items() if name != "total"}) for record in records
    ]
    # A page past the end has no row to carry the total.
    counted = records or (tx.records(statement, **values, limit=1, offset=0) if offset else [])
    total: Any = counted[0]["total"] if counted else 0
    return Listing(items, total)
