"""Processes that end with the process that started them, even if that one is killed with SIGKILL.

The standard input of each is a pipe. Only the starting process holds its other end, and nobody writes to it. When
that process ends, the system closes the pipe, on every Unix. No process id is watched: ids are used again.

``python -m clearwindow.simulator.child ARGUMENT…`` is ``clearwindow ARGUMENT…`` that watches this pipe.
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

COMMAND: Final = (sys.executable, "-m", "clearwindow.simulator.child")
_GRACE_SECONDS: Final = 30
_STANDARD_INPUT: Final = 0


@cache
def input_pipe() -> int:
    """Returns the standard input for every process that must not outlive this one."""
    # No child inherits the end that is kept. Only the end of this process closes it.
    read_end, _kept = os.pipe()
    return read_end


def _end_with_starter() -> None:
    """Sends SIGTERM to this process when the pipe ends, and exits after a grace period."""
    os.read(_STANDARD_INPUT, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, name="end-with-starter", daemon=True).start()
    runpy.run_module("clearwindow", run_name="__main__", alter_sys=True)
