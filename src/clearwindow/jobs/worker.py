"""The worker: asks each kind of due work what is due, runs it, and notes what goes wrong.

No queue exists outside the database. A job's effect and its completion commit together, so that a worker that
dies at any point loses nothing: its transaction is rolled back, and the next worker finds the job still due.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, runtime_checkable

import structlog
from prometheus_client import Counter

from clearwindow.runtime import Runtime
from clearwindow.work.backlog import Waiting
from clearwindow.work.watching import Watch

log = structlog.get_logger(__name__)

BATCH: Final = 50
_ERROR_CHARACTERS: Final = 500

performed_total = Counter("clearwindow_work_performed_total", "Due jobs that were run to their end.", ["kind"])
failed_total = Counter("clearwindow_work_failed_total", "Due jobs that raised and will be tried again.", ["kind"])


class DueWork(Waiting, Protocol):
    """One kind of due work."""

    def due(self, runtime: Runtime, limit: int) -> Sequence[Any]:
        """The jobs whose time has come, the longest due first."""
        ...

    def perform(self, runtime: Runtime, job: Any) -> bool:  # noqa: ANN401 - each kind has its own job
        """Runs the job in one transaction; False where another worker is at it."""
        ...

    def postpone(self, runtime: Runtime, job: Any, error: str) -> None:  # noqa: ANN401 - the same
        """Has a job that raised tried again later."""
        ...


@runtime_checkable
class Parallel(Protocol):
    """Due work whose jobs wait for others than the worker, so that several of them are run at once."""

    @property
    def parallel(self) -> int: ...


class Runner(Protocol):
    """Work that keeps its own order and pace beside the due work."""

    @property
    def name(self) -> str: ...

    def run(self) -> None:
        """Works until ``stop``."""
        ...

    def stop(self) -> None: ...


class Worker:
    """Runs due work until it is told to stop. Any number of workers may run against one database.

    Each kind has a thread of its own, so that none waits for the jobs of another. All of them rest while nothing is
    written and no job's time comes, which one look in each ``poll_seconds`` sees.
    """

    def __init__(
        self,
        runtime: Runtime,
        kinds: Sequence[DueWork],
        *,
        runners: Sequence[Runner] = (),
        poll_seconds: float = 0.2,
    ) -> None:
        self._runtime = runtime
        self._kinds = kinds
        self._runners = runners
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()

    def run_due(self) -> int:
        """Runs what is due now, and what becomes due by it; gives how many jobs were run to their end."""
        total = 0
        while not self._stopping.is_set():
            done = sum(self.run_batch(kind) for kind in self._kinds)
            if done == 0:
                return total
            total += done
        return total

    def run(self) -> None:
        """Runs due work as it becomes due, until ``stop``."""
        looks = {kind.name: threading.Event() for kind in self._kinds}
        threads = [
            threading.Thread(target=self._run_kind, args=(kind, looks[kind.name]), name=kind.name)
            for kind in self._kinds
        ]
        threads += [threading.Thread(target=runner.run, name=runner.name) for runner in self._runners]
        for thread in threads:
            thread.start()
        watch = Watch(self._runtime, self._kinds)
        while not self._stopping.wait(self._poll_seconds):
            if self._may_find(watch):
                _set_all(looks.values())
        _set_all(looks.values())
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Ends the run after the job in hand."""
        self._stopping.set()
        for runner in self._runners:
            runner.stop()

    def _may_find(self, watch: Watch) -> bool:
        try:
            return watch.may_find()
        except Exception:
            # The database may be away for a while; who looks himself sees when it is back.
            log.exception("work_unseen")
            return True

    def _run_kind(self, kind: DueWork, look: threading.Event) -> None:
        while not self._stopping.is_set():
            # Before the look: what comes to be due during it is looked for once more.
            look.clear()
            try:
                while not self._stopping.is_set() and self.run_batch(kind):
                    pass
            except Exception:
                # As above, and nothing that changes needs to show when it is.
                log.exception("work_interrupted")
                self._stopping.wait(self._poll_seconds)
                continue
            look.wait()

    def run_batch(self, kind: DueWork) -> int:
        """Runs some of what is due of one kind; gives how many jobs were run to their end."""
        jobs = kind.due(self._runtime, BATCH)
        if not isinstance(kind, Parallel) or len(jobs) < 2:  # noqa: PLR2004 - one job needs no company
            return self._run_in_turn(kind, jobs)
        with ThreadPoolExecutor(kind.parallel, thread_name_prefix=kind.name) as pool:
            return sum(pool.map(lambda job: self._run_in_turn(kind, [job]), jobs))

    def _run_in_turn(self, kind: DueWork, jobs: Sequence[object]) -> int:
        done = 0
        for job in jobs:
            if self._stopping.is_set():
                break
            done += self._run_one(kind, job)
        return done

    def _run_one(self, kind: DueWork, job: object) -> int:
        try:
            performed = kind.perform(self._runtime, job)
        except Exception as error:
            failed_total.labels(kind.name).inc()
            log.exception("work_failed", kind=kind.name, job=str(job))
            kind.postpone(self._runtime, job, f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS])
            return 0
        if performed:
            performed_total.labels(kind.name).inc()
        return int(performed)


def _set_all(events: Iterable[threading.Event]) -> None:
    for event in events:
        event.set()
