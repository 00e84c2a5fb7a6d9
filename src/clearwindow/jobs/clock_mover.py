"""Moves a sandbox's clock step by step, from one due time to the next.

At each step, all due work is done and all leased work has ended before the clock goes on. So everything happens in
the order and at the times at which it would have happened in real time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError
from clearwindow.jobs.backlog import Leasing, Waiting
from clearwindow.jobs.worker import DueWork, Worker
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.runtime import Runtime

LONGEST_MOVE_SECONDS: Final = 300
"""How long one request may move the clock, in real time. Leases of dead processes end before that."""

_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.05


class ClockHeldUpError(ConflictError):
    """A move takes too long. Another request with the same moment continues it.

    Attributes:
        now: the network's time.
        target: where the clock was to go.
        awaited: what it waits for, in words.
    """

    def __init__(
        self, why: str, now: datetime, target: datetime, due: Sequence[str], under_way: Mapping[str, int]
    ) -> None:
        self.now = now
        self.target = target
        self.awaited = [
            *(f"{name} is due" for name in due),
            *(f"{name}: {n} under way" for name, n in under_way.items()),
        ]
        waits = f" and waits for work ({', '.join(self.awaited)})" if self.awaited else ""
        super().__init__(
            "clock_held_up",
            f"{why}: the clock stands at {wire_time(now)}, on its way to {wire_time(target)}{waits}. Ask for the"
            " same time again to continue",
            {
                "now": wire_time(now),
                "target": wire_time(target),
                "due": list(due),
                "underWay": dict(under_way),
            },
        )


class Deliverer(Protocol):
    """Work that keeps its own order. `run_due` does what is due now and returns how much it did."""

    @property
    def name(self) -> str: ...

    def run_due(self) -> int: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _WorkState:
    """The state of all work at one moment."""

    next_due_at: Mapping[str, datetime]
    under_way: Mapping[str, int]


class Mover:
    """Moves the clock and does the due work itself. Workers of other processes may take part."""

    def __init__(
        self,
        runtime: Runtime,
        kinds: Sequence[DueWork],
        deliverers: Sequence[tuple[Waiting, Deliverer]],
        *,
        longest_seconds: float = LONGEST_MOVE_SECONDS,
    ) -> None:
        self._runtime = runtime
        self._longest_seconds = longest_seconds
        self._stopping = threading.Event()
        self._deliverers = [one for _, one in deliverers]
        worker = self._worker = Worker(runtime, kinds)
        self._watched: list[Waiting] = [*kinds, *(waiting for waiting, _ in deliverers)]
        self._runs: dict[str, Callable[[], int]] = {waiting.name: one.run_due for waiting, one in deliverers}
        for kind in kinds:
            self._runs[kind.name] = lambda kind=kind: worker.run_batch(kind)  # type: ignore[misc]  # bound now

    def move(self, clock: SharedClock, target: datetime, arrived: Callable[[datetime], object]) -> datetime:
        """Moves the clock to the target, and runs all work that becomes due on the way. Returns the time then.

        The caller must hold the clock. ``arrived`` is called with each moment that the clock reaches.

        Raises:
            ClockHeldUpError: it takes too long. The clock stays where it is, and the same request continues.
        """
        give_up_at = time.monotonic() + self._longest_seconds
        pause = _FIRST_PAUSE_SECONDS
        work = self._read_work()
        while True:
            now = clock.now()
            due = [name for name, moment in work.next_due_at.items() if moment <= now]
            idle = not due and not work.under_way
            if idle and now >= target:
                return now
            if self._stopping.is_set() or time.monotonic() > give_up_at:
                why = (
                    "the server is stopping"
                    if self._stopping.is_set()
                    else f"{self._longest_seconds:g} seconds have passed"
                )
                raise ClockHeldUpError(why, now, target, due, work.under_way)
            if idle:
                self._move_to(clock, min([target, *work.next_due_at.values()]))
                arrived(clock.now())
                continue
            if sum(self._runs[name]() for name in due):
                pause = _FIRST_PAUSE_SECONDS
            else:
                # Another process is doing it.
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            work = self._read_work()

    def stop(self) -> None:
        """Ends every move, for good, when the current jobs have ended. The clock stays where it is."""
        self._stopping.set()
        self._worker.stop()
        for deliverer in self._deliverers:
            deliverer.stop()

    def _read_work(self) -> _WorkState:
        """Reads all work in one snapshot: if a job is neither due nor leased there, all it has written is there."""
        next_due_at: dict[str, datetime] = {}
        under_way: dict[str, int] = {}
        with self._runtime.transaction() as tx:
            tx.read_one_snapshot()
            for kind in self._watched:
                moment = kind.next_due_at(tx)
                if moment is not None:
                    next_due_at[kind.name] = moment
                leased = kind.under_way(tx) if isinstance(kind, Leasing) else 0
                if leased:
                    under_way[kind.name] = leased
        return _WorkState(next_due_at, under_way)

    def _move_to(self, clock: SharedClock, moment: datetime) -> None:
        with self._runtime.transaction() as tx:
            clock.move(tx.connection, moment)
        with self._runtime.transaction() as tx:
            clock.catch_up(tx.connection)
