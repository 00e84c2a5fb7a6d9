"""The rules of a forecast, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.liquidity.forecasts.models import Outcome, Pending, Stake, StakeAfter, Target
from clearwindow.liquidity.forecasts.rules import follow, foresee, has_steps, most_needed, steps_for_client
from clearwindow.settlements.models import FundingGap, Settlement, SettlementState, SettlementType
from tests.support.prototypes import NOW, SETTLEMENT

QUANTITIES = st.integers(-50, 50)
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FINAL, COMPLETES, FAILS = Outcome.AMOUNTS_BECOME_FINAL, Outcome.COMPLETES, Outcome.FAILS_FOR_LACK_OF_FUNDS
WAITS = Outcome.WAITS_FOR_FUNDS


@given(new=st.lists(QUANTITIES, max_size=6), pulled_in=QUANTITIES)
def test_most_needed_is_the_largest_need_over_all_combinations_of_disputes(new: list[int], pulled_in: int) -> None:
    runs = chain.from_iterable(combinations(new, count) for count in range(len(new) + 1))
    assert most_needed(new, pulled_in) == max(0, *(pulled_in + sum(part) for part in runs))


def test_gain_fills_the_hold_of_a_dispute_first() -> None:
    stake = Stake(
        connection_id=None,  # type: ignore[arg-type]  # no rule reads it
        account_id=None,  # type: ignore[arg-type]  # no rule reads it
        currency="ofcbtc",
        quantity=30,
        held=10,
        targets=[Target(quantity=25, held=0)],
    )
    final, done = follow(stake, [Outcome.AMOUNTS_BECOME_FINAL, Outcome.COMPLETES])
    assert (final.held, final.held_for_disputes, final.available) == (10, 10, 0)
    assert (done.moves, done.available, done.held, done.held_for_disputes) == (30, 15, 25, 25)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def pending(number: int, change: dict[str, int]) -> Pending:
    """Returns a settlement whose window ends after 10 minutes, and its top-up window after 20 and its number."""
    return Pending(
        id=UUID(int=number),
        external_id=str(number),
        created_at=START + timedelta(seconds=number),
        state=SettlementState.DISPUTE_WINDOW,
        due_at=minute(10),
        top_up_deadline_at=minute(20 + number),
        execute_when_funded=False,
        closures_wait=False,
        paused=False,
        change=change,
    )


def steps(every: list[Pending], available: dict[str, int], number: int = 1) -> list[tuple[datetime, Outcome]]:
    found = foresee(every, available, START, UUID(int=number))
    return [(step.at, step.outcome) for step in found]


def test_settlement_completes_at_its_deadline_with_exactly_enough() -> None:
    assert steps([pending(1, {"ofcusd": -7})], {"ofcusd": 7}) == [(minute(10), FINAL), (minute(21), COMPLETES)]


def test_settlement_that_is_short_fails_and_says_what_is_missing() -> None:
    _, last = foresee([pending(1, {"ofcusd": -7})], {"ofcusd": 6}, START, UUID(int=1))
    assert (last.at, last.outcome, last.state) == (minute(21), FAILS, SettlementState.FAILED)
    assert [(gap.currency, gap.shortfall) for gap in last.gaps] == [("ofcusd", 1)]


def test_failed_settlement_completes_when_a_later_one_brings_the_money() -> None:
    both = [pending(1, {"ofcusd": -7}), pending(2, {"ofcusd": 7})]
    assert steps(both, {}) == [(minute(10), FINAL), (minute(21), FAILS), (minute(22), COMPLETES)]


def test_money_of_a_later_settlement_goes_to_the_oldest_that_waits() -> None:
    every = [pending(1, {"ofcusd": -7}), pending(2, {"ofcusd": -7}), pending(3, {"ofcusd": 7})]
    assert steps(every, {}, 1)[-1] == (minute(23), COMPLETES)
    assert steps(every, {}, 2)[-2:] == [(minute(22), FAILS), (minute(23), FAILS)]


def test_settlement_that_executes_when_funded_waits_until_it_is() -> None:
    early = replace(pending(5, {"ofcusd": -7}), execute_when_funded=True)
    waits = [(minute(10), FINAL), (minute(10), WAITS)]
    assert steps([early], {"ofcusd": 7}, 5) == [(minute(10), FINAL), (minute(10), COMPLETES)]
    assert steps([early], {}, 5) == [*waits, (minute(25), FAILS)]
    assert steps([early, pending(2, {"ofcusd": 7})], {}, 5) == [*waits, (minute(22), COMPLETES)]


def test_paused_settlement_waits_after_its_window_also_when_money_comes() -> None:
    paused = replace(pending(1, {"ofcusd": -7}), paused=True)
    both = [paused, pending(2, {"ofcusd": 7})]
    assert steps(both, {"ofcusd": 7}) == [(minute(10), FINAL), (minute(21), Outcome.WAITS_FOR_RESUME)]
    assert foresee(both, {}, START, UUID(int=1))[-1].state is SettlementState.TOP_UP_WINDOW


@pytest.mark.parametrize(("brought", "later"), [(1, [COMPLETES]), (0, []), (-1, [])])
def test_who_waits_is_tried_again_once_a_settlement_brings_anything(brought: int, later: list[Outcome]) -> None:
    both = [pending(1, {"ofcusd": -1}), pending(2, {"ofcusd": brought, "ofcbtc": -1})]
    found = [outcome for _, outcome in steps(both, {"ofcbtc": 1}, 1)]
    assert found == [FINAL, FAILS, *later] if brought >= 0 else [FINAL, FAILS]


def test_what_completed_early_does_not_stop_what_is_due_after_its_deadline() -> None:
    early = replace(pending(5, {"ofcusd": -7}), execute_when_funded=True)
    every = [early, pending(2, {"ofcusd": 7}), pending(7, {})]
    assert steps(every, {}, 5)[-1] == (minute(22), COMPLETES)
    assert steps(every, {}, 7) == [(minute(10), FINAL), (minute(27), COMPLETES)]


def test_closures_of_a_rejected_settlement_run_once_they_are_funded() -> None:
    rejected = replace(
        pending(1, {"ofcusd": -7}), state=SettlementState.REJECTED, due_at=minute(20), closures_wait=True
    )
    found = foresee([rejected, pending(2, {"ofcusd": 7})], {}, START, UUID(int=1))
    assert [(step.at, step.outcome, step.state) for step in found] == [
        (minute(20), WAITS, SettlementState.REJECTED),
        (minute(22), Outcome.CLOSURES_RUN, SettlementState.REJECTED),
    ]


def test_what_is_overdue_happens_now() -> None:
    late = replace(pending(1, {}), state=SettlementState.TOP_UP_WINDOW, due_at=minute(-5))
    assert steps([late], {}) == [(START, COMPLETES)]


def known(settlement: Settlement, minutes: int = 0) -> list[tuple[datetime, Outcome, SettlementState]]:
    found = steps_for_client(settlement, NOW + timedelta(minutes=minutes))
    assert all(step.available == {} and not step.gaps and not step.top_ups for step in found)
    return [(step.at, step.outcome, step.state) for step in found]


def test_client_knows_the_steps_that_the_deadlines_bring() -> None:
    final = (SETTLEMENT.dispute_deadline_at, FINAL, SettlementState.TOP_UP_WINDOW)
    done = (SETTLEMENT.top_up_deadline_at, Outcome.COMPLETES_IF_FUNDED, SettlementState.COMPLETED)
    in_top_up = replace(SETTLEMENT, state=SettlementState.TOP_UP_WINDOW)
    assert known(SETTLEMENT) == [final, done]
    assert known(in_top_up) == [done]
    overdue = NOW + timedelta(minutes=60)
    assert known(SETTLEMENT, 60) == [(overdue, *final[1:]), (overdue, *done[1:])]
    failed = replace(SETTLEMENT, state=SettlementState.FAILED)
    assert known(failed, 1) == [(NOW + timedelta(minutes=1), WAITS, SettlementState.FAILED)]


def test_client_knows_that_a_pause_or_a_rejection_changes_the_end() -> None:
    final = (SETTLEMENT.dispute_deadline_at, FINAL, SettlementState.TOP_UP_WINDOW)
    at = SETTLEMENT.top_up_deadline_at
    paused = replace(SETTLEMENT, paused_since=NOW)
    assert known(paused) == [final, (at, Outcome.WAITS_FOR_RESUME, SettlementState.TOP_UP_WINDOW)]
    rejected = replace(SETTLEMENT, state=SettlementState.REJECTED, closures_wait=True)
    assert known(rejected) == [(at, Outcome.CLOSURES_RUN, SettlementState.REJECTED)]


@pytest.mark.parametrize(
    "ended",
    [
        replace(SETTLEMENT, state=SettlementState.COMPLETED),
        replace(SETTLEMENT, state=SettlementState.REJECTED),
        replace(SETTLEMENT, immediate=True),
        replace(SETTLEMENT, settlement_type=SettlementType.ONCHAIN, state=SettlementState.ONCHAIN),
    ],
)
def test_settlement_that_time_does_not_take_on_has_no_steps(ended: Settlement) -> None:
    assert not has_steps(ended)
    assert known(ended) == []


def stake(quantity: int, held: int, targets: list[Target], held_for_closures: int = 0) -> Stake:
    return Stake(SETTLEMENT.id, SETTLEMENT.id, "ofcbtc", quantity, held, targets, held_for_closures)


def test_stake_after_each_step() -> None:
    of = stake(quantity=-4, held=10, targets=[Target(quantity=3, held=1)], held_for_closures=2)
    assert follow(of, [FINAL, WAITS, COMPLETES]) == [
        StakeAfter(moves=0, available=0, held=13, held_for_disputes=6),
        StakeAfter(moves=0, available=0, held=13, held_for_disputes=6),
        StakeAfter(moves=-4, available=3, held=6, held_for_disputes=6),
    ]


@pytest.mark.parametrize("moving", [COMPLETES, Outcome.COMPLETES_IF_FUNDED, Outcome.CLOSURES_RUN])
def test_every_end_moves_the_stake(moving: Outcome) -> None:
    of = stake(quantity=9, held=0, targets=[Target(quantity=5, held=2), Target(quantity=1, held=4)])
    assert follow(of, [moving]) == [StakeAfter(moves=9, available=6, held=9, held_for_disputes=9)]


def test_second_end_holds_nothing_for_the_settlement() -> None:
    first, second = follow(stake(quantity=-4, held=10, targets=[]), [COMPLETES, WAITS])
    assert first == StakeAfter(moves=-4, available=6, held=0, held_for_disputes=0)
    assert second == StakeAfter(moves=0, available=0, held=0, held_for_disputes=0)


def test_steps_say_what_the_account_has_and_lacks() -> None:
    (final, fails) = foresee([pending(1, {"ofcusd": -7, "ofcbtc": 2})], {"ofcusd": 5}, START, UUID(int=1))
    assert final.state is SettlementState.TOP_UP_WINDOW
    assert final.available == fails.available == {"ofcusd": 5, "ofcbtc": 0}
    assert final.gaps == ()
    assert list(fails.gaps) == [FundingGap("ofcusd", 7, 5)]
    assert fails.state is SettlementState.FAILED


def test_later_settlement_finds_what_the_earlier_one_left() -> None:
    one, two = pending(1, {"ofcusd": -3, "ofcbtc": 2}), pending(2, {"ofcusd": -1, "ofcbtc": -1})
    *_, done = foresee([two, one], {"ofcusd": 5}, START, UUID(int=2))
    assert (done.outcome, done.state) == (COMPLETES, SettlementState.COMPLETED)
    assert done.available == {"ofcusd": 2, "ofcbtc": 2}


def test_settlement_that_waits_keeps_its_state_and_says_what_it_lacks() -> None:
    gap = [FundingGap("ofcusd", 7, 5)]
    eager = replace(pending(1, {"ofcusd": -7}), execute_when_funded=True)
    _, waits, fails = foresee([eager], {"ofcusd": 5}, START, UUID(int=1))
    assert (waits.outcome, waits.state, list(waits.gaps)) == (WAITS, SettlementState.TOP_UP_WINDOW, gap)
    assert (fails.outcome, list(fails.gaps)) == (FAILS, gap)
    rejected = replace(eager, state=SettlementState.REJECTED, closures_wait=True)
    (waits,) = foresee([rejected], {"ofcusd": 5}, START, UUID(int=1))
    assert (waits.outcome, waits.state, list(waits.gaps)) == (WAITS, SettlementState.REJECTED, gap)
