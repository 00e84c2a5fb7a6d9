"""Processes that end with the one that started them, however that one ends: by SIGKILL, too.

The standard input of each is a pipe that the starting process alone holds open, and nobody writes to. Its end comes
from the system itself, on every Unix; no process id is watched that could be somebody else's by then.

``python -m clearwindow.sandbox.tether ARGUMENT…`` is ``clearwindow ARGUMENT…`` on such a tether.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from functools import cache
from typing import Final

COMMAND: Final = (sys.executable, "-m", "clearwindow.sandbox.tether")
_GRACE_SECONDS: Final = 30
_STANDARD_INPUT: Final = 0


@cache
def tether() -> int:
    """The standard input of all that this process starts and that must not outlive it."""
    # No child inherits the end that is kept, and it is closed by nothing but the end of this process.
    handed_on, _kept = os.pipe()
    return handed_on


def _end_with_starter() -> None:
    """Ends this process as an operator would, and at once where that takes too long."""
    os.read(_STANDARD_INPUT, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, name="tether", daemon=True).start()
    runpy.run_module("clearwindow", run_name="__main__", alter_sys=True)
