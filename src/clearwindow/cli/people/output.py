"""Tables for people, ``--json`` and ``--csv`` for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import typer

from clearwindow.cli.people.harmless import harmless, harmless_cell
from clearwindow.cli.people.moments import moment_text

T = TypeVar("T")

_WIDE: Final = 400
"""The columns of what is not a terminal: nothing is folded there."""


class Format(Enum):
    PEOPLE = "people"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """``read`` returns a text, a number, a moment or None. ``right`` for amounts."""

    title: str
    read: Callable[[T], object]
    right: bool = False


def document(value: object) -> Any:  # noqa: ANN401 - any JSON document
    """Returns an answer of the SDK as on the wire: amounts are texts."""
    from clearwindow.client import Value  # noqa: PLC0415 - offline commands do not need the SDK

    if isinstance(value, Value):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, Mapping):
        return {str(name): document(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [document(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value if isinstance(value, bool | int | float | None) else str(value)


class Output:
    """Prints results to standard output, and notes to standard error."""

    def __init__(self, form: Format) -> None:
        self.form = form

    def table(self, name: str, items: Iterable[T], columns: Sequence[Column[T]]) -> None:
        """Prints a list: as a table, as one JSON object with the field ``name``, or as CSV with a heading."""
        if self.form is Format.JSON:
            self._json({name: [document(item) for item in items]})
        elif self.form is Format.CSV:
            self._csv(items, columns)
        else:
            self._rows(items, columns)

    def record(self, value: object, shown: Mapping[str, object]) -> None:
        """Prints one thing: the fields that people want to see, or all of it as JSON."""
        if self.form is Format.JSON:
            self._json(document(value))
        elif self.form is Format.CSV:
            self._csv([shown], [Column(title, itemgetter(title)) for title in shown])
        else:
            given = {title: text for title, text in shown.items() if text is not None}
            width = max(map(len, given), default=0)
            for title, text in given.items():
                typer.echo(f"{title:<{width}}  {_text(text)}")

    def event(self, value: object, line: str) -> None:
        """Prints one of many things that come one after the other: a line, or a JSON object on one line.

        The line is harmless already, because it may have colours.
        """
        typer.echo(json.dumps(document(value)) if self.form is Format.JSON else line)
        sys.stdout.flush()

    def heading(self, line: str) -> None:
        """Prints what stands above a table, if people read it."""
        if self.form is Format.PEOPLE:
            typer.echo(f"\n{harmless(line)}:")

    def note(self, line: str) -> None:
        """Tells people something beside the result."""
        typer.echo(harmless(line), err=True)

    def _json(self, value: object) -> None:
        typer.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))

    def _csv(self, items: Iterable[T], columns: Sequence[Column[T]]) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([column.title for column in columns])
        for item in items:
            writer.writerow([_cell(column.read(item)) for column in columns])
            typer.echo(text.getvalue(), nl=False)
            text.seek(0)
            text.truncate()
        typer.echo(text.getvalue(), nl=False)

    def _rows(self, items: Iterable[T], columns: Sequence[Column[T]]) -> None:
        from rich.console import Console  # noqa: PLC0415 - only tables need it
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
        for item in items:
            # A Text has no markup: what a server names cannot colour or link anything.
            table.add_row(*(Text(_text(column.read(item))) for column in columns))
        if not table.row_count:
            self.note("There is nothing to show.")
            return
        Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(table)


def coloured(text: str, colour: str, *, to_error: bool = False) -> str:
    """Returns the text in a colour on a terminal; a pipe, NO_COLOR and TERM=dumb get none."""
    stream = sys.stderr if to_error else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return typer.style(text, fg=colour)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(document(value)) if isinstance(value, datetime) else harmless_cell(_text(value))
