"""What goes through today, and why. An entry that nothing needs any more is itself a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NO_INTENT: Final = "the text does not say what it is for, and the account does not require that it does"
_NO_PROPOSALS: Final = "one operator does it alone"

KNOWN_OPEN: Final[Mapping[str, Mapping[str, str]]] = {
    "texts": {
        "unused ": _NO_INTENT,
        **dict.fromkeys(
            (
                "allocation by another enterprise",
                "deallocation by another enterprise",
                "connection.create by another enterprise",
            ),
            "an accepted text is accepted again from another enterprise that has the key",
        ),
    },
    "alone": dict.fromkeys(
        (
            "withdraws a client's money",
            "deposits money that never came",
            "adds a key to a client's account",
            "makes a token as a client's user",
            "counts a partner's amounts in another unit",
            "has a partner's calls sent elsewhere",
            "renames a partner's currency",
            "shortens a partner's windows",
            "licenses an enterprise of its own making",
            "makes another operator",
            "closes a dispute as the client",
            "approves what it closed as the client",
        ),
        _NO_PROPOSALS,
    ),
}
"""For each class, how the names of attempts begin, and the reason that they succeed."""
