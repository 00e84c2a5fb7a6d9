"""A long rehearsal may take an hour, but one without progress stops soon."""

from __future__ import annotations

from clearwindow.simulator.rehearsal.stall_detector import StallDetector


def test_a_stall_is_reported_only_after_the_time_limit_without_change() -> None:
    at = 0.0
    stall_detector = StallDetector(120, lambda: at)
    for round_number in range(1, 30):
        at += 100
        assert not stall_detector.is_stalled(f"{round_number} completed")
    at += 120
    assert not stall_detector.is_stalled("29 completed")
    at += 1
    assert stall_detector.is_stalled("29 completed")
