"""Beginning a sandbox anew."""

from __future__ import annotations

import time
from typing import Final

from psycopg.errors import LockNotAvailable

from clearwindow.access.values import Operator
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.emptying import empty
from clearwindow.database.pool import Transaction
from clearwindow.database.sandbox import SharedClock
from clearwindow.errors import ConflictError
from clearwindow.operator import clock
from clearwindow.operator.clock_wire import ClockAnswer
from clearwindow.runtime import Runtime

LONGEST_SECONDS: Final = 30
_PAUSE_SECONDS: Final = 0.1


def reset(runtime: Runtime, operator: Operator) -> ClockAnswer:
    """Empties the sandbox and puts its clock back; operators, their tokens and the currencies stay.

    Raises:
        PermissionDeniedError: this is no sandbox.
        ConflictError: its clock is being moved, or others are at work on it all the time.
    """
    shared = clock.require_sandbox(runtime)
    give_up_at = time.monotonic() + LONGEST_SECONDS
    with clock.holding(runtime):
        while not _try(runtime, operator, shared):
            if time.monotonic() > give_up_at:
                raise ConflictError(
                    "sandbox_in_use",
                    f"others were at work on the sandbox for {LONGEST_SECONDS} seconds, and nothing was removed:"
                    " have them pause, and ask again",
                )
            time.sleep(_PAUSE_SECONDS)
    return clock.read(runtime)


def _try(runtime: Runtime, operator: Operator, shared: SharedClock) -> bool:
    """False where others are at work."""
    try:
        with runtime.transaction() as tx:
            reset_at = tx.now()
            empty(tx.connection)
            # The network's own clock may not be asked before its new time is committed.
            anew = Transaction(tx.connection, shared.world)
            audit.record(anew, operator, "sandbox.reset", "sandbox", until=wire_time(reset_at))
    except LockNotAvailable:
        return False
    return True
