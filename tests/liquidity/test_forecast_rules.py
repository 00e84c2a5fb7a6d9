"""The rules of a forecast, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.liquidity.forecasts.models import Outcome, Pending, Stake, Target
from clearwindow.liquidity.forecasts.rules import follow, foresee, most_needed
from clearwindow.settlements.models import SettlementState

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
