"""Named SQL: each room keeps its statements in ``queries.sql`` beside its store.

A statement begins with ``-- name: find_thing``. Columns that several statements share stand once, under
``-- columns: thing``, and a statement names them as ``{thing}``. So do conditions and tables that several share.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final, LiteralString

_HEADING: Final = re.compile(r"^-- (name|columns): ([a-z0-9_]+)$", re.MULTILINE)
_SHARED: Final = re.compile(r"\{([a-z0-9_]+)\}")


class Queries(dict[str, LiteralString]):
    """The statements of one ``queries.sql``, by name."""

    def __init__(self, package: str) -> None:
        super().__init__(_load(package))
        self._package = package

    def __missing__(self, name: str) -> LiteralString:
        raise LookupError(f"{self._package}/queries.sql has no statement named {name}")

    def names(self) -> frozenset[str]:
        return frozenset(self)


@cache
def _load(package: str) -> dict[str, LiteralString]:
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    return _parsed(text, package)


def _parsed(text: str, package: str) -> dict[str, LiteralString]:
    # The text ships inside the package and holds no input: it is as trustworthy as a literal in the code.
    parts = _HEADING.split(text)
    found: dict[str, dict[str, str]] = {"name": {}, "columns": {}}
    for kind, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if name in found[kind]:
            raise LookupError(f"{package}/queries.sql has the {kind} {name} twice")
        found[kind][name] = body.strip()

    def columns(match: re.Match[str]) -> str:
        if match[1] not in found["columns"]:
            raise LookupError(f"{package}/queries.sql has no columns named {match[1]}")
        return _SHARED.sub(columns, found["columns"][match[1]])

    return {name: _SHARED.sub(columns, body) for name, body in found["name"].items()}
