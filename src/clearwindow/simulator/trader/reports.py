"""What a trader says of its doings: a line for people, or a line of JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NAME_WIDTH: Final = 12
_EVENT_WIDTH: Final = 11


@dataclass(frozen=True, slots=True)
class Reports:
    """Writes one line per happening.

    Attributes:
        write: takes a line.
        as_json: one JSON object a line, for programs.
    """

    write: Callable[[str], None]
    as_json: bool = False

    def say(self, trader: str, happened: str, **details: object) -> None:
        """What happened to whom. Details that are None are left out."""
        known = {name: detail for name, detail in details.items() if detail is not None}
        if self.as_json:
            self.write(json.dumps({"trader": trader, "happened": happened, **known}, default=str))
        else:
            shown = "  ".join(f"{name}={detail}" for name, detail in known.items())
            self.write(f"{trader:<{_NAME_WIDTH}} {happened:<{_EVENT_WIDTH}} {shown}".rstrip())
