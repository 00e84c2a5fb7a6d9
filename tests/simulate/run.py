"""Runs random steps. Each has its own randomness, so that others can be left out."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from clearwindow.simulator.server import temporary_folder
from tests.simulate import chain, changing, disputing, moving, topping
from tests.simulate.server import Processes
from tests.simulate.world import World, agree
from tests.support.databases import TestCluster

CHECK_EVERY: Final = 500
"""After so many steps everything is compared, and the network checks itself."""

Step = Callable[[World, Random], str]

WEIGHTS: Final[dict[Step, int]] = {
    moving.stage: 160,
    moving.repeat: 120,
    moving.allocate: 90,
    moving.deallocate: 90,
    moving.settle_at_once: 80,
    moving.deposit: 80,
    moving.withdraw: 40,
    moving.end_at_once: 20,
    moving.decide_reserved: 30,
    moving.send_while_the_server_dies: 1,
    chain.begin_on_chain: 25,
    chain.pay_on_chain: 20,
    chain.fund_on_chain: 25,
    chain.end_on_chain: 12,
    disputing.raise_dispute: 130,
    disputing.change_dispute: 30,
    disputing.close_as_client: 40,
    disputing.close_as_operator: 50,
    disputing.review: 90,
    disputing.reject_settlement: 20,
    disputing.take_back: 20,
    disputing.cancel_closure: 20,
    disputing.retry_failed: 20,
    topping.fund_spare: 25,
    topping.instruct: 20,
    changing.pass_time: 90,
    changing.pass_to_an_end: 40,
    changing.turn_key: 12,
    changing.rename_currency: 12,
    changing.stop_or_start_partner: 12,
    changing.stop_or_start_connection: 12,
    changing.pause_everything: 8,
    changing.pause_one: 12,
    changing.restart_server: 1,
    changing.restart_worker: 1,
}
"""How often each step is taken, in relation to the others."""


@dataclass(frozen=True)
class Failure:
    """The step at which the server and the model differ, and what was said."""

    number: int
    step: str
    error: str


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        taken: how often each kind of step was taken.
        log: what each step did, by its number.
        checks: how often everything was compared.
        settlements: those with a dispute window.
        starts: of the server and of the worker.
    """

    seed: int
    seconds: float = 0.0
    taken: Counter[str] = field(default_factory=Counter)
    log: list[tuple[int, str]] = field(default_factory=list)
    checks: int = 0
    settlements: int = 0
    starts: tuple[int, int] = (0, 0)
    failure: Failure | None = None

    @property
    def steps(self) -> int:
        return self.taken.total()


def plan(seed: int, steps: int) -> list[Step]:
    """Returns the kinds of the steps: the same for a seed, and a longer plan begins like a shorter."""
    random = Random(seed)  # noqa: S311 - a run that is repeated
    return random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=steps)


def run(
    cluster: TestCluster,
    seed: int,
    steps: Sequence[Step],
    *,
    only: Collection[int] | None = None,
    check_every: int = CHECK_EVERY,
    until: float | None = None,
    noted: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Takes the steps on a network of its own, and stops at the first difference.

    Args:
        cluster: gets the network's database.
        seed: of the randomness of each step, with its number.
        steps: the kinds of the steps.
        only: the numbers of those to take; None: all.
        check_every: after so many steps, everything is compared.
        until: when to stop, by ``time.monotonic``; None: at the end of the plan.
        noted: is called after each step.
    """
    outcome = Outcome(seed)
    began = time.monotonic()
    with _world(cluster) as world:
        number = -1
        for number, step in enumerate(steps):
            if only is not None and number not in only:
                continue
            if until is not None and time.monotonic() > until:
                break
            outcome.taken[step.__name__] += 1
            outcome.failure = _take(world, outcome, seed, number, step, check_every)
            outcome.seconds = time.monotonic() - began
            outcome.starts = world.processes.starts
            outcome.settlements = sum(
                each.books.ended + len(each.books.settlements) for each in world.exchanges.values()
            )
            noted(outcome)
            if outcome.failure is not None:
                return outcome
        outcome.failure = _compared(world, outcome, number, signatures=True)
    outcome.seconds = time.monotonic() - began
    return outcome


def _take(world: World, outcome: Outcome, seed: int, number: int, step: Step, check_every: int) -> Failure | None:
    outcome.log.append((number, step.__name__))
    try:
        world.come_near()
        said = step(world, Random(f"{seed}/{number}"))  # noqa: S311 - as above
        world.catch_up()
        world.compare()
        outcome.log[-1] = number, f"{step.__name__}: {said}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is reported
        return Failure(number, step.__name__, _text(error))
    return _compared(world, outcome, number) if outcome.steps % check_every == 0 else None


def _compared(world: World, outcome: Outcome, number: int, *, signatures: bool = False) -> Failure | None:
    try:
        world.come_near()
        world.compare_everything()
        if signatures:
            agree("the evidence of signed requests", world.processes.check_signatures(), "")
        outcome.checks += 1
    except Exception as error:  # noqa: BLE001 - as above
        return Failure(number, "compare_everything", _text(error))
    return None


def _text(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    last = next((each for each in reversed(where) if "/simulate/" in each.filename), where[-1])
    return f"{error} ({type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno})"


@contextmanager
def _world(cluster: TestCluster) -> Iterator[World]:
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("simulate"))
        dsn = stack.enter_context(cluster.fresh_database())
        processes = Processes(dsn, folder)
        stack.callback(processes.stop)
        processes.start()
        yield World(processes, stack)
