"""The targets that a clock may be moved to; it never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.clock import whole_milliseconds
from clearwindow.core.errors import ConflictError, InvalidRequestError
from clearwindow.jobs import rules

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside
minutes = st.decimals("-1000", "1e9", allow_nan=False, allow_infinity=False)


@given(now=moments.map(whole_milliseconds), wanted=st.none() | moments, by=st.none() | minutes)
def test_the_target_is_the_requested_time_and_never_in_the_past(
    now: datetime, wanted: datetime | None, by: Decimal | None
) -> None:
    try:
        target = rules.target(now, None, wanted=wanted, minutes=by)
    except (InvalidRequestError, ConflictError):
        too_far = (by or 0) > 366 * 24 * 60 or (wanted is not None and wanted - now > timedelta(days=366))
        behind = (by or 0) < 0 or (wanted is not None and whole_milliseconds(wanted) < now)
        assert (wanted is None) == (by is None) or too_far or behind
        return
    assert now <= target <= now + timedelta(days=366)
    assert wanted is None or target == whole_milliseconds(wanted)
    assert by is None or abs(target - now - timedelta(minutes=1) * float(by)) <= timedelta(milliseconds=1)


def test_the_last_target_may_be_requested_again_after_it_has_passed() -> None:
    last = NOW - timedelta(hours=1)
    assert rules.target(NOW, last, wanted=last, minutes=None) == last
    with pytest.raises(
        ConflictError, match=r"has passed: it is 2026-01-05T12:00:00\.000Z, and the clock only goes forward"
    ):
        rules.target(NOW, last, wanted=last + timedelta(milliseconds=1), minutes=None)


def test_a_clock_cannot_be_moved_beyond_representable_times() -> None:
    with pytest.raises(InvalidRequestError, match="never beyond the year 9000"):
        rules.target(datetime(9000, 12, 31, tzinfo=UTC), None, wanted=None, minutes=Decimal(1441))
