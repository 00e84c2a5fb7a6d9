"""Tables as text: CSV after RFC 4180, and JSON lines. Cells that a spreadsheet would compute are made harmless.

Every cell is a text. Amounts are written digit by digit, as on the wire, also if they have 78 digits.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

CSV_MEDIA_TYPE: Final = "text/csv"
JSON_LINES_MEDIA_TYPE: Final = "application/x-ndjson"
BYTE_ORDER_MARK: Final = "\ufeff"

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_APOSTROPHE: Final = "'"
_BEGINS_FORMULA: Final = frozenset("=+-@")
_CONTROL: Final = frozenset("\t\r\n\0")
_INVISIBLE: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


class TableFormat(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"


def harmless(text: str) -> str:
    """Returns a cell that no spreadsheet takes for a formula.

    A text that a program may take for one gets an apostrophe before it, which spreadsheets read as "this is text".
    So does a text that begins with an apostrophe: who reads the cell takes one away and has the text. A plain
    number is no formula and stays as it is, also with a minus.
    """
    return _APOSTROPHE + text if text.startswith(_APOSTROPHE) or _may_be_formula(text) else text


def _may_be_formula(text: str) -> bool:
    if not text or _NUMBER.fullmatch(text):
        return False
    if text[0] in _CONTROL:
        return True
    # Programs skip what is not seen at the beginning, and read full-width and small forms as the ASCII ones.
    seen = next((char for char in text if unicodedata.category(char) not in _INVISIBLE), "")
    return unicodedata.normalize("NFKC", seen)[:1] in _BEGINS_FORMULA or seen == "\N{MINUS SIGN}"


def cell(value: object) -> str:
    """Returns the text of a value: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


class CsvLines:
    """Writes one table as CSV: commas, CRLF, quotes where they are needed, UTF-8."""

    def __init__(self, columns: Sequence[str], *, byte_order_mark: bool = False) -> None:
        """Begins a table.

        Args:
            columns: the names of its columns, in order.
            byte_order_mark: whether it begins with one. Old versions of Excel need it to read UTF-8.
        """
        self._columns = columns
        self._begin = BYTE_ORDER_MARK if byte_order_mark else ""

    def head(self) -> str:
        """Returns the line with the names of the columns."""
        return self._begin + _line(self._columns)

    def line(self, values: Mapping[str, object]) -> str:
        """Returns the line of one row. A column without a value is empty."""
        return _line([harmless(cell(values.get(name))) for name in self._columns])


def json_line(document: str) -> str:
    """Returns the line of a JSON text, which has no line breaks of its own."""
    return document + "\n"


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()
