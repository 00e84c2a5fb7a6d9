"""Values for sentences, and fields for answers."""

from __future__ import annotations

from typing import Final

_QUOTED_CHARACTERS: Final = 80


def quoted(value: object) -> str:
    """Returns a value short enough for a sentence."""
    text = str(value)
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}… ({len(text)} characters)"


def shown(value: object) -> str:
    """Returns a name that somebody chose, so that it cannot end a line, turn the writing, or hide in a sentence."""
    return quoted("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(value)))


def present(**fields: object) -> dict[str, object]:
    """Returns the fields that have a value: the wire leaves an absent field out instead of sending null."""
    return {name: value for name, value in fields.items() if value is not None}
