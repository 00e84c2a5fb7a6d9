"""Moving a sandbox's clock: step by step, from one moment at which something falls due to the next.

What is due at a step is done, and what is under way has come to its end, before the clock goes on, so that
everything happens in the order and at the times at which it would have happened in the world.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from clearwindow.clock import wire_time
from clearwindow.database.sandbox import SharedClock
from clearwindow.errors import ConflictError
from clearwindow.runtime import Runtime
from clearwindow.work.backlog import Leasing, Waiting
from clearwindow.work.worker import DueWork, Worker

LONGEST_MOVE_SECONDS: Final = 300
"""How long one request may move the clock, in the world's time; leases of the dead run out before that."""

_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.05


class ClockHeldUpError(ConflictError):
    """A move takes too long; it goes on when the same moment is asked for again.

    Attributes:
        now: where the clock stands.
        target: where it was to go.
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
            f"{why}: the clock stands at {wire_time(now)}, on its way to {wire_time(target)}{waits}; ask for the"
            " same time again, and it goes on",
            {
                "now": wire_time(now),
                "target": wire_time(target),
                "due": list(due),
                "underWay": dict(under_way),
            },
        )


class Deliverer(Protocol):
    """Work that keeps its own order, and can be asked to do what is due."""

    @property
    def name(self) -> str: ...

    def run_due(self) -> int: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Look:
    """How all work stands at one moment."""

    next_due_at: Mapping[str, datetime]
    under_way: Mapping[str, int]


class Mover:
    """Moves the clock, and does by itself what falls due; workers of other processes may take part."""

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
        """Moves the clock to the target, with all that falls due until then; gives the time it is then.

        The caller has the clock for itself. ``arrived`` is told of each moment that was gone to.

        Raises:
            ClockHeldUpError: it takes too long; the clock stands where it came to, and the same request goes on.
        """
        give_up_at = time.monotonic() + self._longest_seconds
        pause = _FIRST_PAUSE_SECONDS
        look = self._look()
        while True:
            now = clock.now()
            due = [name for name, moment in look.next_due_at.items() if moment <= now]
            quiet = not due and not look.under_way
            if quiet and now >= target:
                return now
            if self._stopping.is_set() or time.monotonic() > give_up_at:
                why = (
                    "the server ends"
                    if self._stopping.is_set()
                    else f"{self._longest_seconds:g} seconds have passed"
                )
                raise ClockHeldUpError(why, now, target, due, look.under_way)
            if quiet:
                self._go(clock, min([target, *look.next_due_at.values()]))
                arrived(clock.now())
                continue
            if sum(self._runs[name]() for name in due):
                pause = _FIRST_PAUSE_SECONDS
            else:
                # It is in the hands of another process.
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            look = self._look()

    def stop(self) -> None:
        """Ends every move after the jobs in hand, for good; the clock stands where it came to."""
        self._stopping.set()
        self._worker.stop()
        for deliverer in self._deliverers:
            deliverer.stop()

    def _look(self) -> _Look:
        """All of one moment: a job that is neither due nor under way then has left all that it leaves behind."""
        next_due_at: dict[str, datetime] = {}
        under_way: dict[str, int] = {}
        with self._runtime.transaction() as tx:
            tx.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for kind in self._watched:
                moment = kind.next_due_at(tx)
                if moment is not None:
                    next_due_at[kind.name] = moment
                in_hand = kind.under_way(tx) if isinstance(kind, Leasing) else 0
                if in_hand:
                    under_way[kind.name] = in_hand
        return _Look(next_due_at, under_way)

    def _go(self, clock: SharedClock, moment: datetime) -> None:
        with self._runtime.transaction() as tx:
            clock.move(tx.connection, moment)
        with self._runtime.transaction() as tx:
            clock.catch_up(tx.connection)
