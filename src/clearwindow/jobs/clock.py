"""The network's clock: read anywhere, moved in a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError, PermissionDeniedError
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.jobs import rules
from clearwindow.jobs.clock_mover import ClockHeldUpError, Mover
from clearwindow.jobs.models import ClockMove, ClockReading
from clearwindow.postgres import sandbox
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.runtime import Runtime

MAX_FAILED_MOVES: Final = 10
"""After so many moves in a row that did not advance the clock, `reach` gives up."""


def read(runtime: Runtime) -> ClockReading:
    """Returns the network's time, and in a sandbox the target of the last move."""
    clock = runtime.clock
    if not isinstance(clock, SharedClock):
        now = clock.now()
        return ClockReading(now, now, sandbox=False)
    with runtime.transaction() as tx:
        target = clock.catch_up(tx.connection).clock_target
    wall = clock.wall.now()
    return ClockReading(wall + clock.offset, wall, sandbox=True, target=target)


def move(
    runtime: Runtime,
    operator: Operator,
    asked: ClockMove,
    mover: Mover,
    arrived: Callable[[datetime], object] = lambda _: None,
) -> ClockReading:
    """Moves the clock forward and runs all work that becomes due on the way. Each step has its own transactions.

    Args:
        runtime: of a sandbox.
        operator: recorded in the audit trail.
        asked: where the clock shall go.
        mover: runs the due work.
        arrived: is called with each moment that the clock reaches.

    Raises:
        PermissionDeniedError: this is no sandbox.
        ConflictError: the moment has passed, another request is moving the clock, or the move takes too long.
    """
    clock = require_sandbox(runtime)
    with holding(runtime):
        with runtime.transaction() as tx:
            now = tx.now()
            last = clock.catch_up(tx.connection).clock_target
            target = rules.target(now, last, wanted=asked.moment, minutes=asked.minutes)
            if target != last:
                sandbox.record_target(tx.connection, target)
                details = {"from": wire_time(now), "to": wire_time(target)}
                audit.record(tx, operator, "clock.moved", "clock", **details)
        mover.move(clock, target, arrived)
    return read(runtime)


def reach(
    runtime: Runtime,
    operator: Operator,
    asked: ClockMove,
    mover: Mover,
    arrived: Callable[[datetime], object],
    held_up: Callable[[ClockHeldUpError], object],
) -> ClockReading:
    """Moves the clock as `move` does, and starts another move if one takes too long, as long as the clock advances.

    ``held_up`` is called each time with what the clock waits for.

    Raises:
        PermissionDeniedError: as `move`.
        ConflictError: as `move`, but "held up" only after several moves that did not advance the clock.
    """
    advanced = False

    def note(now: datetime) -> None:
        nonlocal advanced
        advanced = True
        arrived(now)

    failed_moves = 0
    while True:
        try:
            return move(runtime, operator, asked, mover, note)
        except ClockHeldUpError as error:
            failed_moves = 0 if advanced else failed_moves + 1
            if failed_moves == MAX_FAILED_MOVES:
                raise
            held_up(error)
            asked = ClockMove(moment=error.target)
            advanced = False


def require_sandbox(runtime: Runtime) -> SharedClock:
    """Returns the sandbox's clock.

    Raises:
        PermissionDeniedError: this is no sandbox.
    """
    if not isinstance(runtime.clock, SharedClock):
        raise PermissionDeniedError(
            "not_a_sandbox",
            "this network is no sandbox: it keeps real time. To make a sandbox, start a server on an empty database"
            " with CLEARWINDOW_SANDBOX=1",
        )
    return runtime.clock


@contextmanager
def holding(runtime: Runtime) -> Iterator[None]:
    """Runs the block while no other process can move or reset the clock.

    Raises:
        ConflictError: another process is moving or resetting it.
    """
    with sandbox.holding_clock(runtime.database.dsn) as held:
        if not held:
            seen = read(runtime)
            now, target = wire_time(seen.now), wire_time(seen.target) if seen.target else None
            raise ConflictError(
                "clock_moving",
                f"another request is moving the clock: it is {now}, on the way to {target}. Ask again when it"
                " has arrived",
                {"now": now, "target": target},
            )
        yield
