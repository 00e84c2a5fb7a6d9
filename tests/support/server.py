"""The application on a loopback socket. Every answer is checked against the contract and our document."""

from __future__ import annotations

from contextlib import AbstractContextManager

from fastapi import FastAPI

from tests.support.asgi import listening
from tests.support.exchanges import RECORDER, Recorder, Recording


def serving(app: FastAPI, recorder: Recorder = RECORDER) -> AbstractContextManager[str]:
    """Serves the application until the block ends, gives its address and records every exchange."""
    return listening(Recording(app, recorder))
