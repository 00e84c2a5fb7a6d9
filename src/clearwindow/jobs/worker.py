"""The worker: finds the due jobs of each kind, runs them, and postpones those that fail.

There is no queue outside the database. The effect of a job and its completion commit together, so a worker that
dies at any point loses nothing: its transaction is rolled back, and the next worker finds the job still due.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, runtime_checkable

import structlog
from prometheus_client import Counter
from psycopg.errors import LockNotAvailable

from clearwindow.core import tracing
from clearwindow.jobs.backlog import Waiting
from clearwindow.jobs.watch import Watch
from clearwindow.postgres.failures import failure_of
from clearwindow.runtime import Runtime

log = structlog.get_logger(__name__)

BATCH: Final = 50
_ERROR_CHARACTERS: Final = 500

performed_total = Counter("clearwindow_work_performed_total", "Due jobs that were completed.", ["kind"])
failed_total = Counter("clearwindow_work_failed_total", "Due jobs that raised and will be tried again.", ["kind"])


class DueWork(Waiting, Protocol):
    """One kind of due work."""

    def due(self, runtime: Runtime, limit: int) -> Sequence[Any]:
        """Returns the due jobs, the longest overdue first."""
        ...

    def perform(self, runtime: Runtime, job: Any) -> bool:  # noqa: ANN401 - each kind has its own job
        """Runs the job in one transaction. Returns False if another worker is running it."""
        ...

    def postpone(self, runtime: Runtime, job: Any, error: str) -> None:  # noqa: ANN401 - the same
        """Makes a job that raised due again later."""
        ...


@runtime_checkable
class Parallel(Protocol):
    """Due work whose jobs wait for other servers, so that several of them run at the same time."""

    @property
    def parallel(self) -> int: ...


class Runner(Protocol):
    """Work beside the due work, with its own order and pace."""

    @property
    def name(self) -> str: ...

    def run(self) -> None:
        """Works until ``stop`` is called."""
        ...

    def stop(self) -> None: ...


class Worker:
    """Runs due work until it is stopped. Any number of workers may run against one database.

    Each kind has its own thread, so that no kind waits for the jobs of another. All of them rest while nothing is
    written and no job becomes due. The worker checks this every ``poll_seconds``.
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
        """Runs all due jobs, and those that become due by them. Returns how many were completed."""
        total = 0
        while not self._stopping.is_set():
            done = sum(self.run_batch(kind) for kind in self._kinds)
            if done == 0:
                return total
            total += done
        return total

    def run(self) -> None:
        """Runs work when it becomes due, until ``stop`` is called."""
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
        """Ends the run when the current jobs have ended."""
        self._stopping.set()
        for runner in self._runners:
            runner.stop()

    def _may_find(self, watch: Watch) -> bool:
        try:
            return watch.may_find()
        except Exception as error:
            # The database may be away for a while. The look for due work notices when it is back.
            if not self._runtime.database.tell(error, "a look for due work"):
                log.exception("work_unseen")
            return True

    def _run_kind(self, kind: DueWork, look: threading.Event) -> None:
        while not self._stopping.is_set():
            # Before the look, so that work that becomes due during the look is looked for again.
            look.clear()
            try:
                while not self._stopping.is_set() and self.run_batch(kind):
                    pass
            except Exception as error:
                # As above. Without a write there would be no other signal to try again.
                if not self._runtime.database.tell(error, "due work"):
                    log.exception("work_interrupted")
                self._stopping.wait(self._poll_seconds)
                continue
            look.wait()

    def run_batch(self, kind: DueWork) -> int:
        """Runs a batch of due jobs of one kind. Returns how many were completed."""
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
            with tracing.span(f"job {kind.name}", tracing.Kind.JOB, parent=getattr(job, "traceparent", None)):
                performed = kind.perform(self._runtime, job)
        except LockNotAvailable:
            # Nothing is wrong with the job. It stays due, and the next look finds it.
            log.warning("work_waits_for_lock", kind=kind.name, job=str(job))
            return 0
        except Exception as error:
            failure = failure_of(error)
            if failure is not None and failure.of_database:
                # The job is as good as before, and its deadline stands: it is not postponed.
                raise
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
