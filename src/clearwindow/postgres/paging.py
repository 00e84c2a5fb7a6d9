"""One page of a list, and the number of all its rows.

A page begins after a position, or after so many rows. Rows are counted no further than ``EXACT_TOTAL``. So a page
after a position costs the same, however long the history is, and rows that are added meanwhile move nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, Generic, LiteralString, TypeAlias, TypeVar
from uuid import UUID

from clearwindow.core.clock import parse_rfc3339
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import parse_uuid
from clearwindow.core.money import MAX_DIGITS
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.rows import model_of

T = TypeVar("T")
U = TypeVar("U")

EXACT_TOTAL: Final = 10_000
"""How far the rows of a list are counted. Beyond it, the total says "at least"."""

_MAX_BIGINT: Final = 2**63 - 1
_MAX_BIGINT_DIGITS: Final = 19

Position: TypeAlias = tuple[str, ...]
"""A place in a list: the key of its last row, as texts. It means nothing without the list's ``Order``."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of a list.

    Attributes:
        total: how many rows the list has.
        exact: whether there are no more than that.
        after: the place where the next page begins; None if this one is the last, or if the list has no positions.
    """

    items: list[T]
    total: int
    exact: bool = True
    after: Position | None = None

    def of(self, items: Sequence[U]) -> Listing[U]:
        """Returns the same page with what its rows became."""
        return Listing(list(items), self.total, self.exact, self.after)


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a list that a caller wants: ``limit`` rows after a position, or after ``offset`` rows.

    Attributes:
        counted: whether the total is wanted too. Without it, a ``Listing`` says 0.
    """

    limit: int
    offset: int = 0
    after: Position | None = None
    counted: bool = True

    @classmethod
    def of(cls, limit: int) -> Slice:
        """Returns the first rows of a list whose total nobody wants."""
        return cls(limit, counted=False)


Columns: TypeAlias = Mapping[LiteralString, type[datetime | UUID | Decimal | int | str]]
"""Columns that a list is sorted by, and the type of each."""


FIRST_PAGE: Final = Slice(100)


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list. Its columns together are unique, so that no two rows have the same place.

    Attributes:
        columns: the columns that the list is sorted by, which its statement selects, and the type of each.
        descending: whether the greatest key is first.
    """

    columns: Columns
    descending: bool = True

    def position_of(self, record: Mapping[str, object]) -> Position:
        return tuple(_text_of(record[name]) for name in self.columns)

    def values_of(self, position: Position) -> dict[str, object]:
        """Returns the parameters of a statement that goes on after the position.

        Raises:
            InvalidRequestError: the position is not one of this order.
        """
        if len(position) != len(self.columns):
            raise _not_a_position()
        kinds = zip(position, self.columns.values(), strict=True)
        return {f"after_{number}": _value_of(text, kind) for number, (text, kind) in enumerate(kinds)}

    def page(self, statement: LiteralString, *, continued: bool) -> LiteralString:
        """Returns the statement of one page of what the given statement selects."""
        names = ", ".join(self.columns)
        where = ""
        if continued:
            places = ", ".join(f"%(after_{number})s" for number in range(len(self.columns)))
            where = f"WHERE ({names}) {'<' if self.descending else '>'} ({places})"
        direction = " DESC" if self.descending else ""
        sorting = ", ".join(f"{name}{direction}" for name in self.columns)
        rest = f"{where} ORDER BY {sorting} LIMIT %(limit)s OFFSET %(offset)s"
        # Only texts of queries.sql and of this module are put together; what callers send is a parameter.
        return f"SELECT * FROM (\n{statement}\n) AS listed {rest}"  # noqa: S608


NEWEST_FIRST: Final = Order({"created_at": datetime, "id": UUID})
OLDEST_FIRST: Final = Order({"created_at": datetime, "id": UUID}, descending=False)
NEWEST_FIRST_BY_NAMED_ID: Final = Order({"created_at": datetime, "id": str})
"""For ids that operators choose."""


def keyset_page(
    tx: Transaction,
    into: Callable[..., T],
    statement: LiteralString,
    values: Mapping[str, object],
    order: Order,
    wanted: Slice,
) -> Listing[T]:
    """Returns one page of a list, the place after it, and how many rows the list has, as far as they are counted.

    Args:
        tx: the open transaction.
        into: what a row becomes.
        statement: selects all rows of the list, without ORDER BY and LIMIT.
        values: the statement's parameters.
        order: the order of the list.
        wanted: the part of it.

    Raises:
        InvalidRequestError: the position is not one of this list.
    """
    places = {} if wanted.after is None else order.values_of(wanted.after)
    page = order.page(statement, continued=wanted.after is not None)
    # One row more than wanted tells whether there is another page.
    part = {"limit": wanted.limit + 1, "offset": wanted.offset}
    records = tx.records(page, **values, **places, **part)
    counted = count_up_to(tx, statement, values) if wanted.counted else 0
    return listing_of(records, partial(model_of, into), order, wanted, counted)


def count_up_to(tx: Transaction, statement: LiteralString, values: Mapping[str, object]) -> int:
    """Returns how many rows the statement selects, counted up to ``EXACT_TOTAL`` + 1."""
    counting = f"SELECT count(*) FROM (SELECT FROM (\n{statement}\n) AS listed LIMIT %(most)s) AS counted"  # noqa: S608
    (counted,) = tx.scalars(int, counting, **values, most=EXACT_TOTAL + 1)
    return counted


def listing_of(
    records: Sequence[Mapping[str, object]],
    make: Callable[[Mapping[str, object]], T],
    order: Order,
    wanted: Slice,
    counted: int,
) -> Listing[T]:
    """Returns the page of a list whose statements are its own.

    Args:
        records: the rows from where the page begins, in order, with one more than wanted if there is one.
        make: makes an item from a row.
        order: the order of the list, whose columns the rows have.
        wanted: the part of the list.
        counted: the number of all rows, counted up to ``EXACT_TOTAL`` + 1 at least.
    """
    shown = records[: wanted.limit]
    return Listing(
        [make(record) for record in shown],
        total=min(counted, EXACT_TOTAL),
        exact=counted <= EXACT_TOTAL,
        after=order.position_of(shown[-1]) if len(records) > wanted.limit else None,
    )


def list_page(
    tx: Transaction,
    into: Callable[..., T],
    statement: LiteralString,
    values: Mapping[str, object],
    *,
    limit: int,
    offset: int,
) -> Listing[T]:
    """Returns one page of what a statement computes from one request, and counts whole.

    The statement must have ``count(*) OVER () AS total`` beside its columns. Lists of records use ``keyset_page``.
    """
    records = tx.records(statement, **values, limit=limit, offset=offset)
    items = [
        model_of(into, {name: value for name, value in record.items() if name != "total"}) for record in records
    ]
    # A page past the end has no row to carry the total.
    counted = records or (tx.records(statement, **values, limit=1, offset=0) if offset else [])
    total: Any = counted[0]["total"] if counted else 0
    return Listing(items, total)


def _text_of(value: object) -> str:
    # To the microsecond, as the database compares.
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _value_of(text: str, kind: type[object]) -> object:
    value: object | None
    if kind is datetime:
        value = parse_rfc3339(text)
    elif kind is UUID:
        value = parse_uuid(text)
    elif kind is int:
        known = text.isascii() and text.isdigit() and len(text) <= _MAX_BIGINT_DIGITS
        value = int(text) if known and int(text) <= _MAX_BIGINT else None
    elif kind is Decimal:
        value = Decimal(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
    else:
        value = text
    if value is None:
        raise _not_a_position()
    return value


def _not_a_position() -> InvalidRequestError:
    return InvalidRequestError(
        "cursor_invalid", "cursor: names no place in this list: read the list from its start"
    )
