"""Moments on the wire: RFC 3339, all of it and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.clock import parse_rfc3339

OFFSETS = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(9990, 1, 1), timezones=OFFSETS)  # noqa: DTZ001


@given(moment=MOMENTS, lower=st.booleans(), more=st.text("0123456789", max_size=20))
def test_every_moment_is_read_back(moment: datetime, lower: bool, more: str) -> None:  # noqa: FBT001 - drawn
    text = moment.isoformat(timespec="microseconds")
    text = f"{text[:26]}{more}{text[26:]}"
    assert parse_rfc3339(text.lower() if lower else text) == moment


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("2026-02-28T23:59:60.5z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("1985-04-12t23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, tzinfo=UTC)),
        ("2024-02-29T00:00:00-00:00", datetime(2024, 2, 29, tzinfo=UTC)),
        ("9999-12-31T23:59:60Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("2026-01-05T11:59:00", None),
        ("2026-01-05T11:59:00+1:30", None),
        ("2026-01-05T11:59:00+24:00", None),
        ("2026-1-05T11:59:00Z", None),
        ("20260105T115900Z", None),
        ("2026-01-05T11:59:00Z ", None),
        ("2026-01-05T11:59:00Z\n", None),
        ("\u0662026-01-05T11:59:00Z", None),
        ("", None),
    ],
)
def test_examples(text: str, meant: datetime | None) -> None:
    assert parse_rfc3339(text) == meant


@given(text=st.text("0123456789-:.TtZz+, ", max_size=30))
def test_other_texts_never_raise(text: str) -> None:
    assert parse_rfc3339(text) is None or len(text) >= len("2026-01-05T11:59:00Z")
