"""When a message is sent again and when an endpoint is given up, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.notices import rules
from clearwindow.notices.rules import Course, verdict, wait
from clearwindow.notices.webhooks import Answer

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
chances = st.floats(0, 1, exclude_max=True)


def took() -> Answer:
    return Answer(NOW, 5, 204, None)


def refused(status: int = 500, retry_after_seconds: float | None = None) -> Answer:
    return Answer(NOW, 5, status, f"it answered {status}", retry_after_seconds)


def test_what_was_taken_leaves_no_trace_of_failures() -> None:
    assert verdict(7, NOW - timedelta(minutes=9), [took(), took()], NOW, 0.5) == rules.Verdict(
        Course.GOES_ON, 0, None, None
    )


def test_whoever_takes_messages_again_after_an_hour_has_recovered() -> None:
    since = NOW - rules.TROUBLED_AFTER
    assert verdict(7, since, [took()], NOW, 0.5).course is Course.RECOVERED
    both = verdict(7, since, [took(), refused()], NOW, 0.5)
    assert (both.course, both.failures, both.failing_since) == (Course.RECOVERED, 1, NOW)
    assert both.retry_at is not None


def test_gone_is_final_however_short_the_trouble() -> None:
    assert verdict(0, None, [took(), refused(410)], NOW, 0.5).course is Course.DISABLED_AS_GONE


def test_days_of_failures_disable() -> None:
    almost = NOW - rules.DISABLE_AFTER + timedelta(seconds=1)
    assert verdict(20, almost, [refused()], NOW, 0.5).course is Course.RETRIES
    assert verdict(20, NOW - rules.DISABLE_AFTER, [refused()], NOW, 0.5).course is Course.DISABLED_AS_FAILING
    assert verdict(20, NOW - rules.DISABLE_AFTER, [took(), refused()], NOW, 0.5).course is Course.RECOVERED


@given(failures=st.integers(1, 200), chance=chances)
def test_waits_grow_to_a_bound_and_lie_in_their_jitter(failures: int, chance: float) -> None:
    planned = rules.RETRY_SECONDS[min(failures, len(rules.RETRY_SECONDS)) - 1]
    waited = wait(failures, None, chance).total_seconds()
    assert 0.8 * planned - 0.001 <= waited <= 1.2 * planned + 0.001


@given(
    failures=st.integers(1, 20),
    chance=chances,
    asked=st.floats(0, 1e300, allow_nan=False),
)
def test_an_endpoint_is_left_alone_as_long_as_it_asked_but_not_for_ever(
    failures: int, chance: float, asked: float
) -> None:
    waited = wait(failures, asked, chance)
    assert waited >= min(timedelta(seconds=min(asked, 86_400)), rules.MAX_RETRY_AFTER)
    assert waited <= rules.MAX_RETRY_AFTER


def test_a_message_is_tried_for_three_days() -> None:
    spent, tries = timedelta(0), 0
    while spent < rules.MAX_AGE:
        tries += 1
        spent += wait(tries, None, 0.5)
    assert 12 <= tries <= 20
