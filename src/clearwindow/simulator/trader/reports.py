"""The lines that a trader writes: text for people, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NAME_WIDTH: Final = 12
_EVENT_WIDTH: Final = 11


@dataclass(frozen=True, slots=True)
class Reports:
    """Writes one line for each event.

    Attributes:
        write: called with each line.
        as_json: whether each line is a JSON object.
    """

    write: Callable[[str], None]
    as_json: bool = False

    def report(self, trader: str, happened: str, **details: object) -> None:
        """Writes a line. Details that are None are left out."""
        known = {name: detail for name, detail in details.items() if detail is not None}
        if self.as_json:
            self.write(json.dumps({"trader": trader, "happened": happened, **known}, default=str))
        else:
            shown = "  ".join(f"{name}={detail}" for name, detail in known.items())
            self.write(f"{trader:<{_NAME_WIDTH}} {happened:<{_EVENT_WIDTH}} {shown}".rstrip())
