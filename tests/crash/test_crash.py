"""Kills lose and double nothing. ``make crash`` kills at every step of every kind of request, and more often.

Here one of six steps of a large settlement is met, and a moment of half of the other kinds; `make test` has a third
of these, `make test-long` the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Final

import pytest

from tests.crash import kinds
from tests.crash.anywhere import Anywhere, open_anywhere
from tests.crash.apart import running_apart
from tests.crash.kills import CrashRun, open_crash_run
from tests.crash.kinds import Kind
from tests.crash.moments import COMMIT, DURABLE
from tests.crash.servers import AnyServer, Target, running_server
from tests.crash.steps import STEPS, Step
from tests.support.long import long_unless

SERVER_STEPS: Final = long_unless(STEPS[18:19].__contains__, STEPS[::6])
OTHER_KILLS: Final = (
    (Target.EVERYTHING, "staging: move of the liabilities"),
    (Target.EVERYTHING, "execution: move of the balances"),
    (Target.BACKEND, "staging: committed, not answered"),
    (Target.BACKEND, "finalisation: committed, not noticed"),
    (Target.POSTMASTER, "execution: completion"),
)

EMBEDDED_KILLS: Final = (
    (kinds.SmallSettlement, "insert entry_posting, 2", Target.SERVER),
    (kinds.OnChain, "insert chain_transaction", Target.SERVER),
    (kinds.Withdrawal, "delete hold", Target.BACKEND),
    (kinds.ClosureReview, COMMIT, Target.EVERYTHING),
    (kinds.Proposal, "update settlement", Target.SERVER),
    (kinds.Deallocation, DURABLE, Target.EVERYTHING),
    (kinds.CustodyWithdrawal, "insert custody_movement", Target.BACKEND),
)
APART_KILLS: Final = (
    (kinds.SmallSettlement, "insert hold", Target.API),
    (kinds.StandingTopUp, "update balance", Target.WORKER),
    (kinds.Deposit, "insert webhook_attempt", Target.WORKER),
)


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


class KindRuns:
    """The same for kinds of requests."""

    def __init__(self, running: Callable[[], AbstractContextManager[AnyServer]]) -> None:
        self._running = running
        self._open = ExitStack()
        self._anywhere: Anywhere | None = None

    def crash(self, kind: type[Kind], what: str, target: Target) -> None:
        if self._anywhere is None:
            self._open.close()
            server = self._open.enter_context(self._running())
            self._anywhere = self._open.enter_context(open_anywhere(server, thorough=False))
        anywhere, self._anywhere = self._anywhere, None
        watched = anywhere.watch(kind)
        anywhere.crash(watched, next(one for one in watched.moments if str(one) == what), target)
        self._anywhere = anywhere

    def close(self) -> None:
        if self._anywhere is not None:
            self._anywhere.server.check()
        self._open.close()


@pytest.fixture(scope="session")
def crash_runs() -> Iterator[CrashRuns]:
    crash_runs = CrashRuns()
    yield crash_runs
    crash_runs.close()


@pytest.fixture(scope="session")
def embedded_kinds() -> Iterator[KindRuns]:
    runs = KindRuns(running_server)
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def apart_kinds() -> Iterator[KindRuns]:
    runs = KindRuns(running_apart)
    yield runs
    runs.close()


@pytest.mark.parametrize("step", SERVER_STEPS, ids=lambda step: step.id)
def test_killed_server_loses_and_doubles_nothing(crash_runs: CrashRuns, step: Step) -> None:
    crash_runs.crash(step, Target.SERVER)


@pytest.mark.parametrize(("target", "step"), long_unless(OTHER_KILLS[::3].__contains__, OTHER_KILLS))
def test_killed_database_loses_and_doubles_nothing(crash_runs: CrashRuns, target: Target, step: str) -> None:
    crash_runs.crash(next(one for one in STEPS if one.id == step), target)


@pytest.mark.parametrize(("kind", "what", "target"), long_unless(EMBEDDED_KILLS[3::3].__contains__, EMBEDDED_KILLS))
def test_kill_of_a_server_with_its_database_leaves_no_trace(
    embedded_kinds: KindRuns, kind: type[Kind], what: str, target: Target
) -> None:
    embedded_kinds.crash(kind, what, target)


@pytest.mark.parametrize(("kind", "what", "target"), long_unless(APART_KILLS[:1].__contains__, APART_KILLS))
def test_kill_beside_a_database_of_its_own_leaves_no_trace(
    apart_kinds: KindRuns, kind: type[Kind], what: str, target: Target
) -> None:
    apart_kinds.crash(kind, what, target)
