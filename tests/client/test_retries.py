"""The rules for repeated requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.client import HttpOptions
from clearwindow.client.retries import Failure, Harm, failure_of_status, parse_retry_after, wait_seconds

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OPTIONS = HttpOptions(repeats=3, first_wait_seconds=1, longest_wait_seconds=10)
chances = st.floats(0, 1)
failures = st.builds(Failure, st.sampled_from(Harm), st.none() | st.floats(0, 100))


def wait(failure: Failure, **more: object) -> float | None:
    asked = {"repeatable": True, "repeat": 1, "left_seconds": 1000.0, "options": OPTIONS, "chance": 0.5, **more}
    return wait_seconds(failure, **asked)  # type: ignore[arg-type]  # the mixture is typed where it is written


@given(
    failure=failures,
    repeatable=st.booleans(),
    repeat=st.integers(1, 10),
    left=st.floats(-10, 1000),
    chance=chances,
)
def test_limits_hold_for_any_failures(
    *, failure: Failure, repeatable: bool, repeat: int, left: float, chance: float
) -> None:
    waits = wait(failure, repeatable=repeatable, repeat=repeat, left_seconds=left, chance=chance)
    if waits is None:
        return
    assert repeat <= OPTIONS.repeats
    assert failure.harm is Harm.NONE or repeatable
    assert 0 <= waits < left
    assert waits <= OPTIONS.longest_wait_seconds * 1.5
    assert waits >= (failure.retry_after_seconds or 0)


def test_waits_grow_and_spread() -> None:
    failure = Failure(Harm.UNKNOWN)
    assert [wait(failure, repeat=repeat, chance=1) for repeat in (1, 2, 3, 4)] == [1, 2, 4, None]
    assert [wait(failure, repeat=repeat, chance=0) for repeat in (1, 2, 3)] == [0.5, 1, 2]


def test_retry_after_is_respected_or_fails_at_once() -> None:
    assert wait(Failure(Harm.NONE, 10), chance=0) == 10
    assert wait(Failure(Harm.NONE, 10.5)) is None


def test_request_with_unknown_outcome_is_repeated_only_if_repeatable() -> None:
    assert wait(Failure(Harm.UNKNOWN), repeatable=False) is None
    assert wait(Failure(Harm.NONE), repeatable=False) is not None


@pytest.mark.parametrize(
    ("status", "harm"),
    [(429, Harm.NONE), (408, Harm.UNKNOWN), (500, Harm.UNKNOWN), (503, Harm.UNKNOWN)]
    + [(status, None) for status in (400, 401, 403, 404, 409, 413, 422, 501)],
)
def test_only_transient_statuses_are_failures(status: int, harm: Harm | None) -> None:
    failure = failure_of_status(status, 7)
    assert (failure.harm if failure else None) is harm
    assert failure is None or failure.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0),
        ("Mon, 05 Jan 2026 12:00:30 -0000", 30),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 400, None),
        ("Mon, 99 Jan 2026 12:00:30 GMT", None),
        (f"Mon, 05 Jan {'9' * 20} 12:00:30 GMT", None),
        (f"Mon, 05 Jan 2026 12:00:30 +{'9' * 20}", None),
    ],
)
def test_retry_after_is_seconds_or_date(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_parsed_without_error(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or seconds >= 0
