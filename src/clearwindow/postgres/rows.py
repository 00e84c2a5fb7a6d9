"""How a row becomes a model.

The model's annotations say how to convert a column. PostgreSQL gives a quantity as ``numeric``, a state as text and
an array as a list. A field annotated ``int``, an enum, ``tuple`` or ``frozenset`` gets a value of that type, so
that no store converts by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from psycopg import Cursor
from psycopg.rows import RowMaker

T = TypeVar("T")


def model_row(into: Callable[..., T]) -> Callable[[Cursor[Any]], RowMaker[T]]:
    """Returns a row factory that makes ``into`` from a row's columns, by name."""

    def factory(cursor: Cursor[Any]) -> RowMaker[T]:
        converters = _converters_of(into)
        columns = [(column.name, converters.get(column.name)) for column in cursor.description or ()]

        def row(values: Sequence[Any]) -> T:
            return into(
                **{
                    name: value if convert is None or value is None else convert(value)
                    for (name, convert), value in zip(columns, values, strict=True)
                }
            )

        return row

    return factory


def model_of(into: Callable[..., T], record: Mapping[str, Any]) -> T:
    """Returns ``into`` made from a record that was read as a mapping."""
    converters = _converters_of(into)
    return into(
        **{
            name: value if value is None or name not in converters else converters[name](value)
            for name, value in record.items()
        }
    )


@cache
def _converters_of(into: Callable[..., object]) -> Mapping[str, Callable[[Any], object]]:
    if not isinstance(into, type):
        return {}
    found = {name: _converter_for(hint) for name, hint in get_type_hints(into).items()}
    return {name: convert for name, convert in found.items() if convert is not None}


def _converter_for(hint: Any) -> Callable[[Any], object] | None:  # noqa: ANN401 - any annotation
    if get_origin(hint) in (Union, UnionType):
        hint = next((part for part in get_args(hint) if part is not NoneType), None)
    if hint is int:
        return int
    collection = get_origin(hint)
    if collection in (tuple, frozenset):
        convert = _converter_for(get_args(hint)[0])
        return collection if convert is None else lambda members: collection(map(convert, members))
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else None
