"""A short simulation in the suite, and how a run that fails is made short. The long ones are ``make simulate``."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.simulate import chain, changing, disputing, moving
from tests.simulate.run import WEIGHTS, plan, run
from tests.simulate.shorten import shortened
from tests.simulate.world import World
from tests.support.databases import TestCluster

_SEED = 14
_STEPS = 24


def forget(world: World, random: Random) -> str:  # noqa: ARG001 - a step has both
    """A model that is wrong by one base unit."""
    world.custody.accounts["ann", "ofcbtc"].available -= 1
    world.compare_client("ann")
    return "nobody noticed"


def test_server_agrees_with_the_model_until_the_model_is_wrong(cluster: TestCluster) -> None:
    money = [moving.stage, moving.settle_at_once, disputing.raise_dispute, changing.pass_time, moving.repeat]
    terms = [changing.turn_key, changing.rename_currency, changing.pause_everything, changing.pause_one]
    later = [chain.begin_on_chain, chain.fund_on_chain, moving.decide_reserved, disputing.take_back]
    kinds = [*money, *terms, *later]
    outcome = run(cluster, _SEED, [*kinds, *plan(_SEED, _STEPS), forget], check_every=_STEPS)
    assert outcome.failure is not None
    said = (outcome.failure.step, outcome.failure.number, outcome.checks)
    assert said == ("forget", len(kinds) + _STEPS, 1), (outcome.failure, outcome.log[-5:])
    assert "the model" in outcome.failure.error


def test_same_seed_gives_the_same_steps_and_a_longer_plan_begins_like_a_shorter() -> None:
    assert plan(1, 50) == plan(1, 80)[:50]
    assert plan(1, 50) != plan(2, 50)
    assert set(plan(1, 20_000)) == set(WEIGHTS)


def test_run_that_fails_is_made_as_short_as_it_can_be() -> None:
    tried: list[Sequence[int]] = []

    def fails(numbers: Sequence[int]) -> bool:
        tried.append(numbers)
        return {3, 17, 99} <= set(numbers)

    assert shortened(range(100), fails) == [3, 17, 99]
    assert len(tried) < 100
    assert shortened([5], lambda _: False) == [5]


def test_shortening_ends_when_its_time_is_over() -> None:
    left = iter([True, True, False])
    assert shortened(range(8), lambda numbers: 7 in numbers, lambda: next(left, False)) == [4, 5, 6, 7]
