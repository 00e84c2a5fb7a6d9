"""Makes texts of other people harmless on a terminal and in a spreadsheet."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile("[\\s]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?( base)?( [A-Za-z][A-Za-z0-9]*)?")
"""A number, with or without its unit: no spreadsheet calculates that."""


def harmless(text: object) -> str:
    """Returns a text in which nothing moves the cursor, colours or turns the writing: all that is replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(text))


def harmless_cell(text: object) -> str:
    """Returns a cell that no spreadsheet takes for a formula. Amounts stay as they are."""
    shown = harmless(text)
    return f"'{shown}" if _FORMULA.match(str(text)) and not _AMOUNT.fullmatch(shown) else shown
