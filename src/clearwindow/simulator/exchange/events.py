"""The events of an exchange, as lines for people or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

_NAME_WIDTH: Final = 22


class Tone(Enum):
    """The style of a line."""

    PLAIN = ""
    GOOD = "green"
    NOTICE = "yellow"
    BAD = "bold red"


@dataclass(frozen=True, slots=True)
class Event:
    """An event: a name and fields for programs, a sentence for people."""

    name: str
    sentence: str
    fields: Mapping[str, object] = field(default_factory=dict)
    tone: Tone = Tone.PLAIN


Emit = Callable[[Event], None]


def json_lines(out: TextIO | None = None) -> Emit:
    """Returns a function that writes each event as a line of JSON."""

    def emit(event: Event) -> None:
        line = {"time": _now().isoformat(timespec="milliseconds"), "event": event.name, **event.fields}
        print(json.dumps(line, default=_plain), file=out or sys.stdout, flush=True)

    return emit


def readable_lines(console: Console | None = None) -> Emit:
    """Returns a function that prints each event as a line of text."""
    shown = console or Console(highlight=False, soft_wrap=True)

    def emit(event: Event) -> None:
        line = Text.assemble((f"{_now().astimezone():%H:%M:%S}  ", "dim"), (f"{event.name:<{_NAME_WIDTH}}", "cyan"))
        shown.print(line.append(event.sentence, style=event.tone.value))

    return emit


def _now() -> datetime:
    return datetime.now(UTC)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be written in an event")
