"""Rules of calls to partners: retries, circuits and answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.outbound.models import Reply
from clearwindow.partner_calls import rules
from clearwindow.partner_calls.models import NOTICES, Accepted, Circuit, Operation, Silent

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PARTNER = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")


@given(attempts=st.integers(0, 10_000), jitter=st.floats(0, 1))
def test_pauses_between_attempts_grow_up_to_a_limit_with_jitter(attempts: int, jitter: float) -> None:
    grown = min(300, 2 ** min(attempts, 10))
    waits = (rules.next_attempt_at(NOW, attempts, jitter, None) - NOW).total_seconds()
    assert grown / 2 <= waits <= grown
    assert waits == pytest.approx(grown * (1 + jitter) / 2, abs=0.001)


@given(attempts=st.integers(0, 20), jitter=st.floats(0, 1), asked=st.integers(0, 3_600))
def test_no_attempt_is_earlier_than_the_partner_requested(attempts: int, jitter: float, asked: int) -> None:
    assert rules.next_attempt_at(NOW, attempts, jitter, asked) >= NOW + timedelta(seconds=asked)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("30", 30), (" 30 ", 30), ("999999", 3_600), ("9" * 400, None), ("-1", None), ("soon", None)],
)
def test_retry_after_is_read_and_limited(header: str | None, seconds: int | None) -> None:
    assert rules.answer_to_question(Reply(429, b"", header)) == Silent("HTTP 429", seconds)


def test_circuit_opens_after_five_failures_and_longer_each_time() -> None:
    circuit, pauses = Circuit(PARTNER), list[float | None]()
    for _ in range(10):
        circuit = rules.after_failure(circuit, NOW, "HTTP 500")
        pauses.append((circuit.open_until - NOW).total_seconds() if circuit.open_until else None)
    assert pauses == [None, None, None, None, 30, 60, 120, 240, 300, 300]


@pytest.mark.parametrize("operation", NOTICES)
def test_refused_notice_counts_as_received_only_for_an_unknown_release(operation: Operation) -> None:
    received = {
        status
        for status in (400, 403, 404, 409, 410, 422)
        if rules.answer_to_notice(operation, Reply(status, b"", None)) == Accepted({})
    }
    releases = operation in (Operation.ALLOCATION_RELEASE, Operation.DEALLOCATION_RELEASE)
    assert received == ({404, 409, 410} if releases else set())
    assert rules.answer_to_notice(operation, Reply(204, b"", None)) == Accepted({})
