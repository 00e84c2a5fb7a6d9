"""Validates large nested objects part by part, so that a wrong one costs little.

Validation makes an error of a thousand bytes for every wrong entry, and lets no other thread run until it has made
the last: 200 000 wrong entries of one body would need half a gigabyte and seconds. Here the first part with an
error ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import TypeAdapter

PART_ENTRIES: Final = 1_000

Members: TypeAlias = dict[Any, Any]
T = TypeVar("T", bound=Members)


def validated_in_parts(given: object, adapter: TypeAdapter[T], *, levels: int) -> T:
    """Returns the object as the adapter's type, which must validate every entry independently of the others.

    Args:
        given: what was sent.
        adapter: validates an object of objects, ``levels`` deep.
        levels: how many objects stand inside one another; at least 2.

    Raises:
        ValidationError: something is wrong; with the errors of the first part that has any.
    """
    if not isinstance(given, dict):
        return adapter.validate_python(given)
    parts = _parts(given, levels)
    whole = adapter.validate_python(next(parts))
    for part in parts:
        _add(adapter.validate_python(part), whole)
    return whole


def _parts(members: Members, levels: int) -> Iterator[Members]:
    """Yields the object as objects of the same shape, each with about `PART_ENTRIES` entries or fewer."""
    part: Members = {}
    size = 0
    for name, value in members.items():
        for piece, entries in _pieces(value, levels - 1):
            if name in part or (part and size + entries > PART_ENTRIES):
                yield part
                part, size = {}, 0
            part[name] = piece
            size += entries
    yield part


def _pieces(value: object, levels: int) -> Iterator[tuple[object, int]]:
    """Yields a value in pieces, each with its number of entries, its own included."""
    if not isinstance(value, dict) or (levels == 1 and len(value) < PART_ENTRIES):
        yield value, 1 + (len(value) if isinstance(value, dict) else 0)
    elif levels == 1:
        members = iter(value.items())
        while piece := dict(islice(members, PART_ENTRIES - 1)):
            yield piece, 1 + len(piece)
    else:
        for part in _parts(value, levels):
            yield part, 1 + sum(1 + len(inner) if isinstance(inner, dict) else 1 for inner in part.values())


def _add(part: Members, whole: Members) -> None:
    for name, value in part.items():
        if name in whole and isinstance(value, dict):
            _add(value, whole[name])
        else:
            whole[name] = value
