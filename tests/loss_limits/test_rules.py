"""How limits of loss change: lower at once, higher after the cool-off. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.loss_limits import rules
from clearwindow.loss_limits.models import COOL_OFF, Limits, Standing

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
QUANTITIES = st.none() | st.integers(0, 3)
LIMITS = st.builds(Limits, QUANTITIES, QUANTITIES)


def allows(limit: int | None, quantity: int) -> bool:
    return limit is None or quantity <= limit


def test_first_limit_applies_at_once() -> None:
    assert rules.changed(Standing(Limits()), Limits(10, 20), NOW) == Standing(Limits(10, 20))


def test_lower_part_applies_at_once_and_higher_part_later() -> None:
    changed = rules.changed(Standing(Limits(10, 20)), Limits(5, 30), NOW)
    assert changed == Standing(Limits(5, 20), Limits(5, 30), NOW + COOL_OFF)
    assert rules.at(changed, NOW + COOL_OFF - timedelta(milliseconds=1)) == changed
    assert rules.at(changed, NOW + COOL_OFF) == Standing(Limits(5, 30))


def test_limits_without_a_moment_or_without_limits_do_not_come_into_force() -> None:
    for standing in (Standing(Limits(1), None, NOW), Standing(Limits(1), Limits(2), None)):
        assert rules.at(standing, NOW) == standing


def test_same_wish_again_does_not_start_the_cool_off_anew() -> None:
    changed = rules.changed(Standing(Limits(10, 20)), Limits(None, 20), NOW)
    assert rules.changed(changed, Limits(None, 20), NOW + timedelta(hours=23)) == changed


def test_lowering_takes_a_waiting_raise_away() -> None:
    changed = rules.changed(Standing(Limits(10, 20)), Limits(None, None), NOW)
    assert rules.changed(changed, Limits(10, 20), NOW) == Standing(Limits(10, 20))


@pytest.mark.parametrize(
    ("start", "wanted", "expected"),
    [
        (Limits(10, 20), Limits(15, 10), Limits(10, 10)),
        (Limits(10, None), Limits(None, 5), Limits(10, 5)),
        (Limits(None, 20), Limits(5, None), Limits(5, 20)),
    ],
)
def test_each_part_waits_for_itself(start: Limits, wanted: Limits, expected: Limits) -> None:
    assert rules.changed(Standing(start), wanted, NOW) == Standing(expected, wanted, NOW + COOL_OFF)


@pytest.mark.parametrize("part", ["per_settlement", "per_day"])
@given(start=LIMITS, wishes=st.lists(st.tuples(LIMITS, st.integers(0, 30)), max_size=6), quantity=st.integers(0, 4))
def test_nothing_is_allowed_sooner_than_the_cool_off_after_it_was_asked_for(
    part: str, start: Limits, wishes: list[tuple[Limits, int]], quantity: int
) -> None:
    limit = attrgetter(part)
    standing, now = Standing(start), NOW
    # Since when every wish has allowed the quantity without a break.
    allowed_since = now - COOL_OFF if allows(limit(start), quantity) else None
    for wanted, hours in wishes:
        now += timedelta(hours=hours)
        standing = rules.changed(standing, wanted, now)
        if not allows(limit(wanted), quantity):
            allowed_since = None
        elif allowed_since is None:
            allowed_since = now
        if allows(limit(rules.at(standing, now).limits), quantity):
            assert allowed_since is not None
            assert now - allowed_since >= COOL_OFF
