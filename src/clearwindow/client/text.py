"""Converts Python values to the text of the wire: amounts without floats, times with their zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote
from uuid import UUID

from pydantic.alias_generators import to_camel

from clearwindow.core.clock import wire_time

Id: TypeAlias = str | UUID
Quantity: TypeAlias = int | Decimal | str
"""An exact amount. A float is refused because it is not exact."""

Amounts: TypeAlias = Mapping[str, Quantity]
"""Per currency."""

Minutes: TypeAlias = int | float | Decimal


def quantity_text(quantity: Quantity) -> str:
    """Returns an amount in plain digits, without an exponent.

    Raises:
        TypeError: the quantity is a float, or another type that is not an exact number.
        ValueError: the quantity is infinite or NaN.
    """
    if isinstance(quantity, str):
        return quantity
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
        raise TypeError(f"an amount must be an int, a Decimal or a str, not a {type(quantity).__name__}")
    if isinstance(quantity, Decimal):
        if not quantity.is_finite():
            raise ValueError(f"{quantity} is not an amount")
        return format(quantity, "f")
    return str(quantity)


def amounts_text(amounts: Mapping[str, object]) -> dict[str, object]:
    """Converts amounts in objects of any depth: per currency, per connection, per pair of connections."""
    return {
        str(name): amounts_text(given) if isinstance(given, Mapping) else quantity_text(given)  # type: ignore[arg-type]
        for name, given in amounts.items()
    }


def time_text(moment: datetime) -> str:
    """Returns ISO 8601 in UTC with milliseconds, as in ``2026-11-22T09:30:00.000Z``; finer parts are cut off.

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time must have a zone, as in datetime.now(UTC)")
    return wire_time(moment)


def fields(**given: object) -> dict[str, object]:
    """Returns the fields under the names of the wire, without those that are None."""
    return {to_camel(name): plain(value) for name, value in given.items() if value is not None}


def changes(given: Mapping[str, object]) -> dict[str, object]:
    """Returns the fields of a change under the names of the wire. None removes a value; omitted fields stay."""
    return {to_camel(name): plain(value) for name, value in given.items()}


def plain(value: object) -> object:
    """Returns an id, a time or a number of minutes as a JSON value, and any other value unchanged."""
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else float(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return time_text(value)
    return value


def query(filters: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Returns filters as a query, with lists as repeated keys.

    Raises:
        ValueError: a list is empty. It would not filter at all.
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
        raise ValueError(f"{name} is empty: leave it out if you do not want to filter by it")
    # The server may split a single text at its commas, but never repeated keys: so such a text is sent twice.
    return texts * 2 if len(texts) == 1 and ("," in texts[0] or texts[0].startswith("[")) else texts


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))


def segment(value: Id) -> str:
    """Returns an id as one segment of a path.

    Raises:
        ValueError: the id is empty or would name another path.
    """
    text = str(value)
    if text in ("", ".", ".."):
        raise ValueError("an id must not be empty, '.' or '..'")
    return quote(text, safe="~:@+")
