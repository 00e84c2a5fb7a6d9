"""Python's values in the wire's own text: amounts without a float on the way, times with their zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote
from uuid import UUID

from pydantic.alias_generators import to_camel

from clearwindow.clock import wire_time

Id: TypeAlias = str | UUID
Quantity: TypeAlias = int | Decimal | str
"""An exact amount; a float is refused, as it is none."""

Amounts: TypeAlias = Mapping[str, Quantity]
"""Per currency."""

Minutes: TypeAlias = int | float | Decimal


def quantity_text(quantity: Quantity) -> str:
    """An amount as the wire has it: plain digits, never an exponent.

    Raises:
        TypeError: a float, or anything else that is not an exact number.
        ValueError: infinite, or not a number at all.
    """
    if isinstance(quantity, str):
        return quantity
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
        raise TypeError(f"an amount is an int, a Decimal or a text, never a {type(quantity).__name__}")
    if isinstance(quantity, Decimal):
        if not quantity.is_finite():
            raise ValueError(f"{quantity} is not an amount")
        return format(quantity, "f")
    return str(quantity)


def amounts_text(amounts: Mapping[str, object]) -> dict[str, object]:
    """Amounts in objects of any depth: per currency, per connection, per pair of connections."""
    return {
        str(name): amounts_text(given) if isinstance(given, Mapping) else quantity_text(given)  # type: ignore[arg-type]
        for name, given in amounts.items()
    }


def time_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as in ``2026-11-22T09:30:00.000Z``; what is finer is cut off.

    Raises:
        ValueError: without a zone nobody can say which moment it is.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, as in datetime.now(UTC)")
    return wire_time(moment)


def fields(**given: object) -> dict[str, object]:
    """A request's fields under the wire's names; what is None is left out."""
    return {to_camel(name): plain(value) for name, value in given.items() if value is not None}


def changes(given: Mapping[str, object]) -> dict[str, object]:
    """A change's fields under the wire's names; what is None is taken away, and what is absent stays."""
    return {to_camel(name): plain(value) for name, value in given.items()}


def plain(value: object) -> object:
    """An id, a time or a number of minutes as JSON has it; all else as it is."""
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else float(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return time_text(value)
    return value


def query(filters: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Filters as a query: lists as repeated keys.

    Raises:
        ValueError: an empty list, which would filter by nothing and so let everything through.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        if value is None:
            continue
        texts = (
            [_query_text(value)]
            if isinstance(value, str) or not isinstance(value, Iterable)
            else _many(name, value)
        )
        pairs.extend((to_camel(name), text) for text in texts)
    return tuple(pairs)


def _many(name: str, values: Iterable[object]) -> list[str]:
    texts = [_query_text(value) for value in values]
    if not texts:
        raise ValueError(f"{name} is empty: leave it out to filter by nothing")
    # A lone text may be taken as a list of several, separated by commas; of repeated keys each is one.
    return texts * 2 if len(texts) == 1 and ("," in texts[0] or texts[0].startswith("[")) else texts


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))


def segment(value: Id) -> str:
    """One segment of a path, whatever is in it.

    Raises:
        ValueError: empty, or one that means another path.
    """
    text = str(value)
    if text in ("", ".", ".."):
        raise ValueError("an id in a path must not be empty")
    return quote(text, safe="~:@+")
