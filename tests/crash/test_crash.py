"""Kills at every step of a settlement lose and double nothing. ``make crash`` kills more often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.crash.kills import CrashRun, open_crash_run
from tests.crash.servers import Target
from tests.crash.steps import STEPS, Step

WHOLE_STEPS: Final = ("staging: move of the liabilities", "staging: committed, not answered")
OTHER_KILLS: Final = [
    *((Target.EVERYTHING, step) for step in (*WHOLE_STEPS, "execution: move of the balances")),
    *((Target.BACKEND, step) for step in (*WHOLE_STEPS, "finalisation: committed, not noticed")),
    *((Target.POSTMASTER, step) for step in (*WHOLE_STEPS, "execution: completion")),
]


class CrashRuns:
    """One run for many tests, and a new one after a test that failed."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._run: CrashRun | None = None

    def crash(self, step: Step, target: Target) -> None:
        if self._run is None:
            self._open.close()
            self._run = self._open.enter_context(open_crash_run(seed=1_067, thorough=False))
        run, self._run = self._run, None
        run.crash(step, target)
        self._run = run

    def close(self) -> None:
        if self._run is not None:
            self._run.settle_without_dispute()
        self._open.close()


@pytest.fixture(scope="session")
def crash_runs() -> Iterator[CrashRuns]:
    crash_runs = CrashRuns()
    yield crash_runs
    crash_runs.close()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_killed_server_loses_and_doubles_nothing(crash_runs: CrashRuns, step: Step) -> None:
    crash_runs.crash(step, Target.SERVER)


@pytest.mark.parametrize(("target", "step"), OTHER_KILLS)
def test_killed_database_loses_and_doubles_nothing(crash_runs: CrashRuns, target: Target, step: str) -> None:
    crash_runs.crash(next(one for one in STEPS if one.id == step), target)
