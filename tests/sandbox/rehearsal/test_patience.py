"""A rehearsal of a thousand rounds takes an hour, and one in which nothing happens any more is over soon."""

from __future__ import annotations

from clearwindow.sandbox.rehearsal.patience import Patience


def test_patience_ends_when_nothing_has_changed_for_long_enough() -> None:
    at = 0.0
    patience = Patience(120, lambda: at)
    for round_number in range(1, 30):
        at += 100
        assert not patience.is_at_its_end(f"{round_number} completed")
    at += 120
    assert not patience.is_at_its_end("29 completed")
    at += 1
    assert patience.is_at_its_end("29 completed")
