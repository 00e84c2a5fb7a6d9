"""Values for sentences, and fields for answers."""

from __future__ import annotations

import re
from typing import Final

_QUOTED_CHARACTERS: Final = 80
_EMAIL_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_LONGEST_LOCAL_PART: Final = 64
_LONGEST_EMAIL_ADDRESS: Final = 254


def is_email_address(text: str) -> bool:
    """Returns whether it is one plain address, without a name, quotes or comments. Other letters need punycode."""
    local = text.partition("@")[0]
    fits = len(local) <= _LONGEST_LOCAL_PART and len(text) <= _LONGEST_EMAIL_ADDRESS
    return fits and _EMAIL_ADDRESS.fullmatch(text) is not None


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
