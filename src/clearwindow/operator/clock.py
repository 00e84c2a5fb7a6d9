"""The network's clock: looked at everywhere, moved in a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from clearwindow.access.values import Operator
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database import sandbox
from clearwindow.database.sandbox import SharedClock
from clearwindow.errors import ConflictError, PermissionDeniedError
from clearwindow.operator import clock_rules
from clearwindow.operator.clock_wire import ClockAnswer, ClockRequest
from clearwindow.runtime import Runtime
from clearwindow.work.moving import ClockHeldUpError, Mover

MOVES_IN_VAIN: Final = 10
"""So many moves in a row that get nowhere are enough to see that the next one would not either."""


def read(runtime: Runtime) -> ClockAnswer:
    clock = runtime.clock
    if not isinstance(clock, SharedClock):
        now = wire_time(clock.now())
        return ClockAnswer(now=now, wall=now, sandbox=False)
    with runtime.transaction() as tx:
        target = clock.catch_up(tx.connection).clock_target
    wall = clock.world.now()
    seen = ClockAnswer(now=wire_time(wall + clock.ahead), wall=wire_time(wall), sandbox=True)
    return seen if target is None else seen.model_copy(update={"target": wire_time(target)})


def move(
    runtime: Runtime,
    operator: Operator,
    asked: ClockRequest,
    mover: Mover,
    arrived: Callable[[datetime], object] = lambda _: None,
) -> ClockAnswer:
    """Moves the clock forwards, with all that falls due on the way. The transactions are those of the steps.

    Raises:
        PermissionDeniedError: this is no sandbox.
        ConflictError: the moment has passed, somebody else is moving the clock, or the move takes too long.
    """
    clock = require_sandbox(runtime)
    with holding(runtime):
        with runtime.transaction() as tx:
            now = tx.now()
            last = clock.catch_up(tx.connection).clock_target
            target = clock_rules.target(now, last, wanted=asked.now, minutes=asked.advance_minutes)
            if target != last:
                sandbox.aim(tx.connection, target)
                way = {"from": wire_time(now), "to": wire_time(target)}
                audit.record(tx, operator, "clock.moved", "clock", **way)
        mover.move(clock, target, arrived)
    return read(runtime)


def reach(
    runtime: Runtime,
    operator: Operator,
    asked: ClockRequest,
    mover: Mover,
    arrived: Callable[[datetime], object],
    held_up: Callable[[ClockHeldUpError], object],
) -> ClockAnswer:
    """Moves the clock, again and again where it takes longer than one move may, as long as it gets on.

    ``held_up`` is told each time what the clock waits for.

    Raises:
        PermissionDeniedError, ConflictError: as `move`; held up only when move after move got nowhere.
    """
    came_further = False

    def note(now: datetime) -> None:
        nonlocal came_further
        came_further = True
        arrived(now)

    in_vain = 0
    while True:
        try:
            return move(runtime, operator, asked, mover, note)
        except ClockHeldUpError as error:
            in_vain = 0 if came_further else in_vain + 1
            if in_vain == MOVES_IN_VAIN:
                raise
            held_up(error)
            asked = ClockRequest.model_validate({"now": wire_time(error.target)})
            came_further = False


def require_sandbox(runtime: Runtime) -> SharedClock:
    """The clock that can be moved.

    Raises:
        PermissionDeniedError: this is no sandbox.
    """
    if not isinstance(runtime.clock, SharedClock):
        raise PermissionDeniedError(
            "not_a_sandbox",
            "this network is no sandbox: its clock is the world's. A server on an empty database is made one by"
            " CLEARWINDOW_SANDBOX=1",
        )
    return runtime.clock


@contextmanager
def holding(runtime: Runtime) -> Iterator[None]:
    """The sandbox's clock is the block's alone.

    Raises:
        ConflictError: somebody else has it.
    """
    with sandbox.holding_clock(runtime.database.dsn) as held:
        if not held:
            seen = read(runtime)
            raise ConflictError(
                "clock_moving",
                f"another request is moving the clock: it is {seen.now}, on the way to {seen.target}; ask again"
                " when it has come there",
                {"now": seen.now, "target": seen.target},
            )
        yield
