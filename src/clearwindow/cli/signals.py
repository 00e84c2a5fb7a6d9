"""SIGTERM and Ctrl-C. Both mean: stop cleanly."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_BY_SIGNAL: Final = 128
Handler = Callable[[int, FrameType | None], object]


def on_stop(handler: Handler | signal.Handlers) -> None:
    """Sets the handler. It runs in the main thread at any point, so it must do almost nothing."""
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


def leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends a command that has not started its work. Everything that was opened is closed."""
    raise SystemExit(0)


def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Ends a command in the middle of its work. The exit code says that the work is not complete."""
    raise SystemExit(_BY_SIGNAL + number)
