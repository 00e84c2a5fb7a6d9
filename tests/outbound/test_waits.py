"""Waits for partners: a long one needs a place, so that silent partners never have them all. Decision 12."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Final

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clearwindow.outbound.waits import PATIENCE_SECONDS, Wait, Waits

SIZE: Final = 8
LONG: Final = SIZE // 2
OF_PARTNER: Final = SIZE // 4


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waits_of(clock: Seconds) -> Waits:
    return Waits(SIZE, share=0.25, silent_share=0.5, monotonic=clock)


def test_fifty_silent_partners_leave_half_of_the_waits_within_a_moment() -> None:
    clock = Seconds()
    waits = waits_of(clock)
    # Each partner has been silent before, one after the other.
    for number in range(50):
        with waits.waiting(f"silent {number}") as wait:
            assert wait is not None
            clock.now += PATIENCE_SECONDS
    with ExitStack() as stack:
        begun = [stack.enter_context(waits.waiting(f"silent {number}")) for number in range(50)]
        assert sum(wait is not None for wait in begun) == LONG
        for number in range(SIZE - LONG):
            assert stack.enter_context(waits.waiting(f"healthy {number}")) is not None


def test_partners_that_all_fall_silent_at_once_leave_half_of_the_waits_after_a_moment() -> None:
    clock = Seconds()
    waits = waits_of(clock)
    with ExitStack() as stack:
        begun = [stack.enter_context(waits.waiting(f"silent {number}")) for number in range(50)]
        fresh = [wait for wait in begun if wait is not None]
        assert len(fresh) == SIZE
        clock.now += PATIENCE_SECONDS
        assert [wait.goes_on() for wait in fresh] == [True] * LONG + [False] * (SIZE - LONG)
    assert {use.in_use for use in waits.uses("x").values()} == {0}


def test_partner_that_answers_again_has_short_waits_again() -> None:
    clock = Seconds()
    waits = waits_of(clock)
    with waits.waiting("slow") as wait:
        clock.now += PATIENCE_SECONDS
        assert wait is not None
        assert wait.short_seconds() == 0
    with waits.waiting("slow") as wait:
        assert wait is not None
        assert wait.short_seconds() is None, "it begins as a long wait"
    with waits.waiting("slow") as wait:
        assert wait is not None
        assert wait.short_seconds() == PATIENCE_SECONDS


class AnyOrder(RuleBasedStateMachine):
    """Calls begin, time passes, those that have waited go on or end, and all end some time."""

    @initialize()
    def begin(self) -> None:
        self.clock = Seconds()
        self.waits = waits_of(self.clock)
        self.open: list[tuple[AbstractContextManager[Wait | None], Wait, str]] = []

    @rule(number=st.integers(0, 9))
    def call(self, number: int) -> None:
        partner = f"partner {number}"
        entered = self.waits.waiting(partner)
        wait = entered.__enter__()
        if wait is None:
            entered.__exit__(None, None, None)
        else:
            self.open.append((entered, wait, partner))

    @rule(seconds=st.floats(0.1, 3))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        for each in list(self.open):
            entered, wait, _ = each
            if wait.short_seconds() == 0 and not wait.goes_on():
                entered.__exit__(None, None, None)
                self.open.remove(each)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.open))
        each[0].__exit__(None, None, None)
        self.open.remove(each)

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "waits"):
            return
        uses = self.waits.uses("x")
        long = [partner for _, wait, partner in self.open if wait.short_seconds() is None]
        assert uses["partner_calls_x"].in_use == len(self.open) <= SIZE
        assert uses["partner_waits_x"].in_use == len(long) <= LONG
        for partner in {partner for _, _, partner in self.open}:
            assert sum(each[2] == partner for each in self.open) <= OF_PARTNER
        # Whoever has waited for longer than a moment has a place for that.
        assert all(wait.short_seconds() is None or wait.seconds() < PATIENCE_SECONDS for _, wait, _ in self.open)

    def teardown(self) -> None:
        for entered, _, _ in getattr(self, "open", []):
            entered.__exit__(None, None, None)
        if hasattr(self, "waits"):
            assert {use.in_use for use in self.waits.uses("x").values()} == {0}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
