"""Rules of webhooks: pauses, recovery and disabled endpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.webhooks import rules
from clearwindow.webhooks.models import Answer, BatchResult, Outcome
from clearwindow.webhooks.rules import after_batch, pause

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
chances = st.floats(0, 1, exclude_max=True)


def took() -> Answer:
    return Answer(NOW, 5, 204, None)


def refused(status: int = 500, retry_after_seconds: float | None = None) -> Answer:
    return Answer(NOW, 5, status, f"it answered {status}", retry_after_seconds)


def test_success_resets_the_failures() -> None:
    assert after_batch(7, NOW - timedelta(minutes=9), [took(), took()], NOW, 0.5) == BatchResult(
        Outcome.CONTINUES, 0, None, None
    )


def test_success_after_an_hour_of_failures_is_a_recovery() -> None:
    since = NOW - rules.TROUBLED_AFTER
    assert after_batch(7, since, [took()], NOW, 0.5).outcome is Outcome.RECOVERED
    both = after_batch(7, since, [took(), refused()], NOW, 0.5)
    assert (both.outcome, both.failures, both.failing_since) == (Outcome.RECOVERED, 1, NOW)
    assert both.retry_at is not None


def test_answer_410_disables_at_once() -> None:
    assert after_batch(0, None, [took(), refused(410)], NOW, 0.5).outcome is Outcome.DISABLED_AS_GONE


def test_five_days_of_failures_disable() -> None:
    almost = NOW - rules.DISABLE_AFTER + timedelta(seconds=1)
    assert after_batch(20, almost, [refused()], NOW, 0.5).outcome is Outcome.RETRIES
    assert after_batch(20, NOW - rules.DISABLE_AFTER, [refused()], NOW, 0.5).outcome is Outcome.DISABLED_AS_FAILING
    assert after_batch(20, NOW - rules.DISABLE_AFTER, [took(), refused()], NOW, 0.5).outcome is Outcome.RECOVERED


@given(failures=st.integers(1, 200), chance=chances)
def test_pauses_grow_to_a_limit_with_jitter(failures: int, chance: float) -> None:
    planned = rules.RETRY_SECONDS[min(failures, len(rules.RETRY_SECONDS)) - 1]
    waited = pause(failures, None, chance).total_seconds()
    assert 0.8 * planned - 0.001 <= waited <= 1.2 * planned + 0.001


@given(
    failures=st.integers(1, 20),
    chance=chances,
    asked=st.floats(0, 1e300, allow_nan=False),
)
def test_requested_pause_is_respected_up_to_a_limit(failures: int, chance: float, asked: float) -> None:
    waited = pause(failures, asked, chance)
    assert waited >= min(timedelta(seconds=min(asked, 86_400)), rules.MAX_RETRY_AFTER)
    assert waited <= rules.MAX_RETRY_AFTER


def test_message_is_retried_for_three_days() -> None:
    spent, tries = timedelta(0), 0
    while spent < rules.MAX_AGE:
        tries += 1
        spent += pause(tries, None, 0.5)
    assert 12 <= tries <= 20
