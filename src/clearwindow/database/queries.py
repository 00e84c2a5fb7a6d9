"""Named SQL: every noun keeps its statements in ``queries.sql`` beside its store; Python holds none."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final, LiteralString, cast

_NAME: Final = re.compile(r"^-- name: ([a-z0-9_]+)$", re.MULTILINE)


class Queries:
    """The statements of one ``queries.sql``, by name."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._statements = _load(package)

    def __getitem__(self, name: str) -> LiteralString:
        try:
            return self._statements[name]
        except KeyError:
            raise LookupError(f"{self._package}/queries.sql has no statement named {name}") from None

    def names(self) -> frozenset[str]:
        return frozenset(self._statements)


@cache
def _load(package: str) -> dict[str, LiteralString]:
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise LookupError(f"{package}/queries.sql names a statement twice")
    # The text ships inside the package and holds no input: as trustworthy as a literal in the code.
    return {name: cast("LiteralString", body.strip()) for name, body in zip(names, bodies, strict=True)}
