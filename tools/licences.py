"""The licence of each locked package, and which licences the product may have. `licences.toml` has the choices."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

CHOICES: Final = Path(__file__).parent / "licences.toml"
_OPERATORS: Final = frozenset({"AND", "OR", "WITH"})
_WORDS: Final = re.compile(r"[^\s()]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """What `licences.toml` says."""

    allowed: frozenset[str]
    spdx: Mapping[str, str]
    looked_up: Mapping[str, str]


def choices() -> Choices:
    read = tomllib.loads(CHOICES.read_text(encoding="utf-8"))
    return Choices(frozenset(read["allowed"]), read["spdx"], read["looked_up"])


def licence_of(name: str, chosen: Choices) -> str | None:
    """Returns the licence of a package as an SPDX expression, None if nothing says it."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return chosen.looked_up.get(name)
    return next((text for text in _stated(found, chosen.spdx) if text), chosen.looked_up.get(name))


def is_allowed(expression: str | None, chosen: Choices) -> bool:
    """Returns whether every licence that the expression names is allowed."""
    if expression is None:
        return False
    named = set(_WORDS.findall(expression)) - _OPERATORS
    return bool(named) and named <= chosen.allowed


def _stated(found: PackageMetadata, spdx: Mapping[str, str]) -> Iterator[str | None]:
    for field in ("License-Expression", "License"):
        for text in found.get_all(field, []):
            yield _expression(text, spdx)
    for classifier in found.get_all("Classifier", []):
        if classifier.startswith("License ::"):
            yield _expression(classifier.rpartition(":: ")[2], spdx)


def _expression(text: str, spdx: Mapping[str, str]) -> str | None:
    try:
        return str(canonicalize_license_expression(spdx.get(text, text)))
    except InvalidLicenseExpression:
        return None
