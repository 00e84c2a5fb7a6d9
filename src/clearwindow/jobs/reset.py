"""Resets a sandbox."""

from __future__ import annotations

import time
from typing import Final

from psycopg.errors import LockNotAvailable

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.jobs import clock
from clearwindow.jobs.models import ClockReading
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.reset import empty
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.runtime import Runtime

LONGEST_SECONDS: Final = 30
_PAUSE_SECONDS: Final = 0.1


def reset(runtime: Runtime, operator: Operator) -> ClockReading:
    """Empties the sandbox and sets its clock to real time. Operators, their tokens and the currencies stay.

    Raises:
        PermissionDeniedError: this is no sandbox.
        ConflictError: its clock is being moved, or other requests use it without a pause.
    """
    shared = clock.require_sandbox(runtime)
    give_up_at = time.monotonic() + LONGEST_SECONDS
    with clock.holding(runtime):
        while not _try_to_reset(runtime, operator, shared):
            if time.monotonic() > give_up_at:
                raise ConflictError(
                    "sandbox_in_use",
                    f"other requests used the sandbox for {LONGEST_SECONDS} seconds without a pause, and nothing"
                    " was removed: pause them and try again",
                )
            time.sleep(_PAUSE_SECONDS)
    return clock.read(runtime)


def _try_to_reset(runtime: Runtime, operator: Operator, shared: SharedClock) -> bool:
    """Returns False if other transactions are at work."""
    try:
        with runtime.transaction() as tx:
            reset_at = tx.now()
            empty(tx.connection)
            # The network's own clock must not be read before its new time is committed.
            audit_tx = Transaction(tx.connection, shared.wall, tx.ids, tx.sealer, tx.call_seconds)
            audit.record(audit_tx, operator, "sandbox.reset", "sandbox", until=wire_time(reset_at))
    except LockNotAvailable:
        return False
    return True
