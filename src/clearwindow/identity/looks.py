"""What a name looks like, so that no operator takes a name that people could mistake for a colleague's. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

_LOOK_ALIKES: Final = {
    "a": "\u0430\u0251\u03b1",
    "b": "\u0432\u044c\u044a\u03b2",
    "c": "\u0441\u03f2",
    "d": "\u0501",
    "e": "\u0435\u04bd",
    "g": "\u0261\u0581",
    "h": "\u04bb\u043d\u0570",
    "k": "\u043a\u03ba",
    # A capital I, a small l and a 1 are one stroke in many fonts.
    "l": "ij1|!\u0456\u0458\u0131\u03b9\u04cf",
    "m": "\u043c",
    "n": "\u03b7\u0578\u043f",
    "o": "0\u043e\u03bf\u03c3\u0585",
    "p": "\u0440\u03c1",
    "q": "\u051b\u0563",
    "s": "\u0455",
    "t": "\u0442\u03c4",
    "u": "\u03c5\u057d",
    "v": "\u03bd\u0475",
    "w": "\u0461\u03c9\u051d",
    "x": "\u0445\u03c7",
    "y": "\u0443\u04af\u03b3",
    "z": "\u0437",
}
"""Letters and digits, many of them Cyrillic, Greek and Armenian, by the small Latin letter that they look like."""

_LATIN: Final = {other: latin for latin, others in _LOOK_ALIKES.items() for other in others}
_CAPITALS: Final = str.maketrans("\u0395\u0396\u0397\u039c\u039d\u03a5", "ezhmny")
"""Greek capitals that look like another Latin letter than their small letters do."""
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164")
"""Characters that Unicode counts as letters or symbols, and that show nothing."""


def look_of(name: str) -> str:
    """Returns the same text for names that people cannot tell apart.

    They differ only by case, spaces, accents, characters that show nothing, compatibility forms (NFKC), or by
    letters and digits that look alike.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).translate(_CAPITALS).casefold())
    return "".join(_LATIN.get(each, each) for each in folded if not _is_hidden(each) and not _is_mark(each))


def is_readable(name: str) -> bool:
    """Returns whether a name has only characters that are seen, and single spaces between words."""
    return bool(name) and all(word and not any(map(_is_hidden, word)) for word in name.split(" "))


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character)[0] in "CZ" or character in _BLANK


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
