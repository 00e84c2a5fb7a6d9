"""The registry of errors: each name that an error answer can carry, its meaning and its cure. Protocol §2."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

DOCUMENTATION_PATH: Final = "/docs/errors"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One error.

    Attributes:
        name: what programs read; it never changes.
        statuses: the HTTP statuses of its answers.
        meaning: what is wrong, in one sentence.
        cause: when it is raised.
        cure: what the caller does about it.
        alias_of: if two names mean the same, the one that replaces this one in the next version of the API.
    """

    name: str
    statuses: tuple[int, ...]
    meaning: str
    cause: str
    cure: str
    alias_of: str | None = None


@cache
def error_codes() -> Mapping[str, ErrorCode]:
    """Returns all errors by name."""
    text = files("clearwindow.core").joinpath("errors.toml").read_text(encoding="utf-8")
    return {
        name: ErrorCode(name, **{**fields, "statuses": tuple(fields["statuses"])})
        for name, fields in tomllib.loads(text).items()
    }


def documentation_of(name: str) -> str:
    """Returns the path of the page that explains an error, on the server that answered with it."""
    return f"{DOCUMENTATION_PATH}#{name}"
