"""Named SQL: each room keeps its statements in ``queries.sql`` beside its store.

A statement begins with ``-- name: find_thing``. Columns that several statements share stand once, under
``-- columns: thing``, and a statement names them as ``{thing}``. So do conditions and tables that several share.

A caller may give a statement the rows that it works on, as a ``Relation``. The file has a query in its place, under
``-- relation: thing``, which also says what its columns are: one without rows, or the one that is usual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, LiteralString

_HEADING: Final = re.compile(r"^-- (name|columns|relation): ([a-z0-9_]+)$", re.MULTILINE)
_SHARED: Final = re.compile(r"\{([a-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Relation:
    """A query for rows that a statement works on, with the values of its parameters."""

    query: LiteralString
    values: Mapping[str, object]


class Queries(dict[str, LiteralString]):
    """The statements of one ``queries.sql``, by name."""

    def __init__(self, package: str) -> None:
        statements, self._relations = _load(package)
        super().__init__(statements)
        self._package = package

    def __missing__(self, name: str) -> LiteralString:
        raise LookupError(f"{self._package}/queries.sql has no statement named {name}")

    def over(self, name: str, **given: Relation) -> LiteralString:
        """Returns the statement with the given queries in place of its relations."""
        statement = self[name]
        for relation, rows in given.items():
            statement = statement.replace(self._relations[relation], rows.query)
        return statement

    def names(self) -> frozenset[str]:
        return frozenset(self)


_Texts = dict[str, LiteralString]


@cache
def _load(package: str) -> tuple[_Texts, _Texts]:
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    return _parsed(text, package)


def _parsed(text: str, package: str) -> tuple[_Texts, _Texts]:
    # The text ships inside the package and holds no input: it is as trustworthy as a literal in the code.
    parts = _HEADING.split(text)
    found: dict[str, dict[str, str]] = {"name": {}, "columns": {}, "relation": {}}
    for kind, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if name in found[kind]:
            raise LookupError(f"{package}/queries.sql has the {kind} {name} twice")
        found[kind][name] = body.strip()
    shared = found["columns"] | found["relation"]

    def part(match: re.Match[str]) -> str:
        if match[1] not in shared:
            raise LookupError(f"{package}/queries.sql has no columns named {match[1]}")
        return _SHARED.sub(part, shared[match[1]])

    whole = {kind: {name: _SHARED.sub(part, body) for name, body in found[kind].items()} for kind in found}
    return whole["name"], whole["relation"]
