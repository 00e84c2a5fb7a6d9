"""Runs rounds of races, on a new network after some hundred of them, and counts their outcomes."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from fastapi import FastAPI

from clearwindow.core.clock import ManualClock
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.runtime import CallTerms
from tests.conftest import OPERATOR_TOKEN, START
from tests.races import deciding, settling
from tests.races.arena import ACTORS, Arena
from tests.races.log import ServerLog, Waits
from tests.support.databases import TestCluster
from tests.support.networks import Network
from tests.support.operators import CHECKED, Hooks, OperatorClient
from tests.support.partners import fake_partner
from tests.support.receivers import receiving
from tests.support.runtimes import open_runtime
from tests.support.settlements import Testbed

PER_NETWORK: Final = 250
"""After so many rounds everything is checked, and the next round has a new network."""


@dataclass(frozen=True)
class Race:
    """What one kind of round does, and how it may end. ``play`` returns the outcome, or fails."""

    play: Callable[[Arena], str]
    outcomes: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.play.__name__.replace("_", " ")


RACES: Final = (
    Race(settling.dispute_at_the_last_moment, ("disputed", "too late")),
    Race(settling.retraction_at_the_last_moment, ("retracted", "too late")),
    Race(settling.withdrawal_at_the_last_moment, ("withdrawn", "disputed, then withdrawn", "disputed", "neither")),
    Race(settling.deposit_while_a_settlement_fails, ("covered in time", "failed and woken")),
    Race(settling.deallocation_and_staging, ("deallocated", "staged")),
    Race(settling.deallocation_and_immediate_settlement, ("deallocated", "settled")),
    Race(settling.two_stagings_of_the_same_funds, ("first", "second")),
    Race(settling.approval_of_a_closure_and_staging, ("taken", "left to the next")),
    Race(settling.rejection_and_the_end_of_the_window, ("rejected", "completed")),
    Race(settling.the_same_bytes_twice, ("the first made it", "the second made it")),
    Race(settling.one_external_id_twice, ("three", "five")),
    Race(settling.revocation_of_a_key_and_staging, ("staged", "refused")),
    Race(settling.standing_top_up_and_withdrawal, ("withdrawn", "topped up")),
    Race(settling.two_workers_at_one_settlement, ("the first", "the second")),
    Race(settling.everything_at_one_partner, ("all accepted", "some refused")),
    Race(deciding.two_decisions_on_one_allocation, ("approved", "rejected")),
    Race(deciding.two_thresholds, ("the lower first", "the higher first")),
    Race(deciding.answer_decision_and_repeat, ("its answer", "its own decision")),
    Race(deciding.two_workers_at_one_endpoint, ("recorded in time", "wrote nothing")),
    Race(deciding.commit_without_an_answer, ("taken", "postponed")),
    Race(deciding.pause_and_allocation, ("allocated", "paused")),
    Race(deciding.pause_and_execution, ("executed", "paused")),
)


@dataclass
class Outcome:
    """What a run saw.

    Attributes:
        counts: how often each race ended how.
        failures: rounds that ended as none may, and books that were not whole.
    """

    seed: int
    seconds: float = 0.0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits: Waits = field(default_factory=Waits)
    checks: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        return self.counts.total()

    @property
    def held(self) -> bool:
        """Whether nothing failed, and nobody waited in a circle."""
        return not self.failures and self.waits.deadlocks == 0


def one_sided(outcome: Outcome, races: Sequence[Race]) -> list[Race]:
    """Returns the races that ran and always ended in the same way."""
    return [
        race
        for race in races
        if sum(outcome.counts[race.name, each] for each in race.outcomes) > 1
        and sum(outcome.counts[race.name, each] > 0 for each in race.outcomes) == 1
    ]


def run(
    cluster: TestCluster,
    app: FastAPI,
    url: str,
    seed: int,
    plan: Sequence[Race],
    *,
    hooks: Hooks = CHECKED,
    most_failures: int = 5,
    until: float | None = None,
    noted: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Runs a round of each race of the plan, in its order.

    Args:
        cluster: gets the databases.
        app: the application that answers at ``url``. It gets the runtime of each network.
        url: where it answers.
        seed: of the delays.
        plan: the races, one for each round.
        hooks: what each answer goes through. To check each against its description takes as long as the answer.
        most_failures: after so many failures it ends.
        until: when to begin no further network, by ``time.monotonic``; None: at the end of the plan.
        noted: is called after each network.
    """
    outcome, began = Outcome(seed), time.monotonic()
    with ThreadPoolExecutor(ACTORS) as actors:
        for first in range(0, len(plan), PER_NETWORK):
            random = Random(f"{seed}/{first}")  # noqa: S311 - a run that is repeated
            with _arena(cluster, app, OperatorClient(url, OPERATOR_TOKEN, hooks=hooks), random, actors) as arena:
                log = ServerLog(arena.testbed.runtime.database.dsn)
                _play(arena, outcome, plan[first : first + PER_NETWORK], first, most_failures)
                _prove(arena, outcome, first)
                outcome.waits += log.waits()
            outcome.seconds = time.monotonic() - began
            noted(outcome)
            if len(outcome.failures) >= most_failures or (until is not None and time.monotonic() > until):
                break
    return outcome


def _play(arena: Arena, outcome: Outcome, plan: Sequence[Race], first: int, most_failures: int) -> None:
    for number, race in enumerate(plan, first):
        if len(outcome.failures) >= most_failures:
            return
        try:
            ended = race.play(arena)
            arena.prove_touched()
            assert ended in race.outcomes, f"{ended!r} is no outcome of it"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with its round
            outcome.failures.append(f"round {number}, {race.name}: {_text(error)}")
            ended = "FAILED"
        outcome.counts[race.name, ended] += 1


def _prove(arena: Arena, outcome: Outcome, first: int) -> None:
    outcome.checks += 1
    try:
        arena.testbed.assert_proven()
        arena.testbed.assert_signed()
    except AssertionError as error:
        outcome.failures.append(f"after the rounds from {first}: {_text(error)}")


def _text(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    last = next((each for each in reversed(where) if "/races/" in each.filename), where[-1])
    return f"{str(error)[:800]} ({type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno})"


@contextmanager
def _arena(
    cluster: TestCluster, app: FastAPI, client: OperatorClient, random: Random, actors: ThreadPoolExecutor
) -> Iterator[Arena]:
    clock = ManualClock(START)
    with cluster.fresh_database() as dsn:
        # Its settings are for sessions that begin after it.
        ServerLog(dsn)
        with (
            open_runtime(dsn, clock, operator_token=OPERATOR_TOKEN, calls=CallTerms(inline_attempts=1)) as runtime,
            client as operator,
            Network(operator) as network,
        ):
            ensure_bootstrap_operator(runtime)
            app.state.runtime = runtime
            with operator.another() as second, fake_partner(client.base_url) as partner, receiving() as receiver:
                yield Arena(Testbed(network, clock, runtime), second, partner, receiver, random, actors)


def chosen_races(names: Collection[str] | None) -> list[Race]:
    """Returns the races whose name begins with one of these."""
    return [race for race in RACES if not names or race.name.startswith(tuple(names))]
