"""When a standing top-up is used, and for how much, without a database. Protocol §5."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.liquidity.forecasts.models import Outcome, Pending
from clearwindow.liquidity.forecasts.rules import foresee
from clearwindow.liquidity.top_ups.rules import needed
from clearwindow.settlements.models import SettlementState
from clearwindow.standing_top_ups.models import Source, StandingTopUp
from clearwindow.standing_top_ups.rules import cover

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CURRENCIES = st.sampled_from(["ofcbtc", "ofceth", "ofcusd"])


def source(currency: str, available: int, per_settlement: int) -> Source:
    standing = StandingTopUp(
        id=UUID(int=1),
        partner_id=UUID(int=2),
        go_account_id=UUID(int=3),
        currency=currency,
        per_settlement=per_settlement,
        created_by="user",
        created_at=START,
    )
    return Source(standing, available)


@given(
    shortfalls=st.dictionaries(CURRENCIES, st.integers(1, 9), min_size=1),
    given_=st.dictionaries(CURRENCIES, st.tuples(st.integers(0, 9), st.integers(1, 9))),
)
def test_exactly_what_is_short_comes_or_nothing(
    shortfalls: dict[str, int], given_: dict[str, tuple[int, int]]
) -> None:
    sources = {name: source(name, *amounts) for name, amounts in given_.items()}
    found = {one.standing.currency: one.quantity for one in cover(shortfalls, sources)}
    suffices = all(name in given_ and short <= min(given_[name]) for name, short in shortfalls.items())
    assert found == (shortfalls if suffices else {})


def test_nothing_comes_if_nothing_is_short() -> None:
    assert cover({}, {"ofcusd": source("ofcusd", 9, 9)}) == []


def pending(number: int, change: dict[str, int]) -> Pending:
    """Returns a settlement whose window has ended. It is due after 20 minutes and its number."""
    due_at = START + timedelta(minutes=20 + number)
    return Pending(
        id=UUID(int=number),
        external_id=str(number),
        created_at=START,
        state=SettlementState.TOP_UP_WINDOW,
        due_at=due_at,
        top_up_deadline_at=due_at,
        execute_when_funded=False,
        closures_wait=False,
        paused=False,
        change=change,
    )


def test_forecast_uses_a_source_up_in_the_order_of_the_deadlines() -> None:
    both = [pending(1, {"ofcusd": -7}), pending(2, {"ofcusd": -7})]
    sources = {"ofcusd": source("ofcusd", 9, 9)}
    (first,) = foresee(both, {"ofcusd": 2}, START, UUID(int=1), sources)
    assert (first.outcome, dict(first.top_ups), dict(first.available)) == (
        Outcome.COMPLETES,
        {"ofcusd": 5},
        {"ofcusd": 2},
    )
    (second,) = foresee(both, {"ofcusd": 2}, START, UUID(int=2), sources)
    assert (second.outcome, dict(second.top_ups)) == (Outcome.FAILS_FOR_LACK_OF_FUNDS, {})
    assert [(gap.currency, gap.shortfall) for gap in second.gaps] == [("ofcusd", 7)]


def test_what_a_source_covers_need_not_be_topped_up() -> None:
    both = [pending(1, {"ofcusd": -7}), pending(2, {"ofcusd": -7})]
    found = needed(both, {"ofcusd": 2}, START, {"ofcusd": source("ofcusd", 9, 9)})
    assert [(one.settlement_id.int, one.quantity) for one in found] == [(2, 7)]
    limited = {"ofcusd": replace(source("ofcusd", 9, 4))}
    assert [one.quantity for one in needed(both, {"ofcusd": 2}, START, limited)] == [5, 7]


def test_source_covers_several_settlements_of_an_account_without_funds() -> None:
    every = [pending(1, {"ofcusd": -7}), pending(2, {"ofcusd": -7}), pending(3, {"ofcusd": -1})]
    sources = {"ofcusd": source("ofcusd", 14, 9)}
    (second,) = foresee(every, {}, START, UUID(int=2), sources)
    assert (second.outcome, dict(second.top_ups), dict(second.available)) == (
        Outcome.COMPLETES,
        {"ofcusd": 7},
        {"ofcusd": 0},
    )
    assert [(one.settlement_id.int, one.quantity) for one in needed(every, {}, START, sources)] == [(3, 1)]
