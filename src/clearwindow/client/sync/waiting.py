"""The differences between waiting in a coroutine and waiting in a thread. Written by hand for both."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

from clearwindow.client.signing import Signer


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def time_limit(_seconds: float) -> AbstractContextManager[object]:
    """A thread cannot be interrupted: the time is checked when a part of an answer arrives."""
    return nullcontext()


def signature_of(signer: Signer, payload: str) -> object:
    """Returns what the signer returned, which may be anything."""
    return signer(payload)
