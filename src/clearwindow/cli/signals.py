"""SIGTERM and Ctrl-C, which both mean: end cleanly."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_BY_SIGNAL: Final = 128
Handler = Callable[[int, FrameType | None], object]


def on_stop(handler: Handler | signal.Handlers) -> None:
    """Has the handler called from now on, in the main thread, wherever that is: it must only take a note."""
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


def leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends a command that has not begun its work; all that was opened is closed on the way out."""
    raise SystemExit(0)


def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Ends a command amid its work, which is then not done: the exit code says so, as the shell's own would."""
    raise SystemExit(_BY_SIGNAL + number)
