"""What goes through today, and why. An entry that nothing needs any more is itself a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NO_INTENT: Final = "the text does not say what it is for, and the account does not require that it does"

KNOWN_OPEN: Final[Mapping[str, Mapping[str, str]]] = {
    "texts": {"unused ": _NO_INTENT},
}
"""For each class, how the names of attempts begin, and the reason that they succeed."""
