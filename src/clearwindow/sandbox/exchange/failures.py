"""A network that is not there, or says no: whoever works in steps says so, and tries again in the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clearwindow.client import (
    ClearwindowError,
    NoAnswerError,
    RateLimitedError,
    ServerError,
    UnexpectedAnswerError,
)
from clearwindow.sandbox.exchange.events import Event, Say, Tone

MAY_PASS: Final = (NoAnswerError, ServerError, RateLimitedError, UnexpectedAnswerError)
"""What the next step may find mended."""


@contextmanager
def survived(say: Say) -> Iterator[None]:
    """Ends the step where the network fails it, and says so."""
    try:
        yield
    except MAY_PASS as error:
        say(Event("network.silent", f"{error}; once more in a while", {"why": str(error)}, Tone.NOTICE))
    except ClearwindowError as error:
        say(Event("network.refused", str(error), {"why": str(error)}, Tone.BAD))
