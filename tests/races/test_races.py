"""A bounded part of `make races`: each race once, and that the run would see what must not be."""

from __future__ import annotations

from threading import Barrier

import psycopg
import pytest
from fastapi import FastAPI

from tests.races.arena import Arena
from tests.races.run import RACES, Outcome, Race, one_sided, run
from tests.support.databases import TestCluster, as_superuser
from tests.support.long import long
from tests.support.summary import LINES

_SEED = 6


@long
def test_each_race_ends_as_one_of_its_outcomes(cluster: TestCluster, served_app: tuple[FastAPI, str]) -> None:
    outcome = run(cluster, *served_app, _SEED, RACES)
    LINES.append(
        f"races: {outcome.rounds} rounds in {outcome.seconds:.1f} s, {outcome.waits.lock_waits} lock waits"
    )
    assert (outcome.failures, outcome.waits.deadlocks, outcome.rounds) == ([], 0, len(RACES))


def wait_in_a_circle(arena: Arena) -> str:
    """Two sessions lock two rows in different orders."""
    first, second = (arena.operator.enterprise(name)["id"] for name in ("first", "second"))
    both_have_one = Barrier(2)

    def lock(*names: str) -> bool:
        with psycopg.connect(arena.testbed.runtime.database.dsn) as connection:
            for name in names:
                connection.execute("SELECT FROM enterprise WHERE id = %s FOR UPDATE", [name])
                if name == names[0]:
                    both_have_one.wait(60)
        return True

    def give_up(*names: str) -> bool:
        try:
            return lock(*names)
        except psycopg.errors.DeadlockDetected:
            return False

    ended = arena.together(lambda: give_up(first, second), lambda: give_up(second, first))
    return "one gave way" if sorted(ended) == [False, True] else "both went on"


def hold_without_a_cause(arena: Arena) -> str:
    """Somebody holds funds, and nothing says for what."""
    arena.desk("broken", allocated=10)
    with psycopg.connect(as_superuser(arena.testbed.runtime.database.dsn)) as connection:
        connection.execute("UPDATE balance SET available = available - 1, held = held + 1 WHERE available = 10")
    return "held"


def end_otherwise(arena: Arena) -> str:  # noqa: ARG001 - every race has one
    return "otherwise"


@pytest.mark.parametrize(
    ("play", "failures", "deadlocks"),
    [(wait_in_a_circle, 0, 1), (hold_without_a_cause, 2, 0), (end_otherwise, 1, 0)],
    ids=["deadlock", "books", "outcome"],
)
def test_run_sees_what_must_not_be(
    cluster: TestCluster, served_app: tuple[FastAPI, str], play: object, failures: int, deadlocks: int
) -> None:
    race = Race(play, ("one gave way", "held"))  # type: ignore[arg-type]  # one of those above
    outcome = run(cluster, *served_app, _SEED, [race])
    assert (len(outcome.failures), outcome.waits.deadlocks) == (failures, deadlocks), outcome.failures
    assert outcome.waits.lock_waits >= deadlocks
    assert not outcome.held


def test_race_that_always_ends_in_one_way_is_reported() -> None:
    races = [Race(wait_in_a_circle, ("a", "b")), Race(end_otherwise, ("a", "b"))]
    outcome = Outcome(_SEED)
    outcome.counts.update({(races[0].name, "a"): 3, (races[0].name, "b"): 1, (races[1].name, "a"): 4})
    assert one_sided(outcome, races) == [races[1]]
