"""Failed calls to the network: they are reported as events, and the next step tries again."""

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
from clearwindow.simulator.exchange.events import Emit, Event, Tone

TRANSIENT_ERRORS: Final = (NoAnswerError, ServerError, RateLimitedError, UnexpectedAnswerError)
"""Errors that may be gone in the next step."""


@contextmanager
def reported_failures(emit: Emit) -> Iterator[None]:
    """Ends the block at the first failed call, and reports it as an event."""
    try:
        yield
    except TRANSIENT_ERRORS as error:
        emit(Event("network.silent", f"{error}; it will be tried again", {"why": str(error)}, Tone.NOTICE))
    except ClearwindowError as error:
        emit(Event("network.refused", str(error), {"why": str(error)}, Tone.BAD))
