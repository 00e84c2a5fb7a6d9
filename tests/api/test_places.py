"""Places of a class of work: no order of events exceeds a bound or loses a place. Decision 12."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clearwindow.api.capacity import Capacity, body_arriving
from clearwindow.core.arrivals import Arrival, Arrivals
from clearwindow.core.errors import TooManyRequestsError, UnavailableError
from clearwindow.core.pace import Pace
from clearwindow.core.places import Bound, Places, Ticket, enter_and_wait, share_of
from clearwindow.core.work import CapacityTerms, Purpose, Work, working_for

HOLDERS: Final = st.sampled_from(["acme", "beta", "gamma", None])
PATIENCE_SECONDS: Final = 60


class AnyOrder(RuleBasedStateMachine):
    """Tickets come and go in any order: as they are, cancelled while they wait, given back twice."""

    @initialize(size=st.integers(1, 5), share=st.integers(1, 5))
    def begin(self, size: int, share: int) -> None:
        self.places = Places(size, share)
        self.tickets: list[tuple[str | None, Ticket]] = []
        self.woken: Counter[int] = Counter()
        self.waited: set[int] = set()

    @rule(holder=HOLDERS)
    def enter(self, holder: str | None) -> None:
        number = len(self.tickets)
        ticket = self.places.enter(holder, lambda: self.woken.update([number]))
        self.tickets.append((holder, ticket))
        if ticket.waits:
            self.waited.add(number)

    @rule(holder=HOLDERS)
    def try_to_enter(self, holder: str | None) -> None:
        could = self.places.missing(holder) is None
        ticket = self.places.try_enter(holder)
        assert (ticket is not None) == could
        if ticket is not None:
            self.tickets.append((holder, ticket))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), refused=st.booleans())
    def leave(self, data: st.DataObject, *, refused: bool) -> None:
        _, ticket = data.draw(st.sampled_from(self.tickets))
        if refused and ticket.waits:
            self.places.refuse(ticket)
        else:
            self.places.leave(ticket)

    @invariant()
    def bounds_hold_and_no_place_is_lost(self) -> None:
        if not hasattr(self, "places"):
            return
        held = [holder for holder, ticket in self.tickets if ticket.held]
        waiting = [(number, holder) for number, (holder, ticket) in enumerate(self.tickets) if ticket.waits]
        use = self.places.use()
        assert (use.in_use, use.waiting) == (len(held), len(waiting))
        assert len(held) <= self.places.size
        for holder, count in Counter(held).items():
            assert holder is None or count <= self.places.share
        for _, holder in waiting:
            assert self.places.missing(holder) is not None, "nobody waits for a place that is free"
        for number in self.waited:
            was_granted = self.tickets[number][1].held
            assert self.woken[number] <= 1
            assert self.woken[number] == 1 or not was_granted

    @invariant()
    def first_of_a_holder_is_served_first(self) -> None:
        for holder in ("acme", "beta", "gamma"):
            states = [ticket for own, ticket in getattr(self, "tickets", []) if own == holder]
            first_waiting = next((number for number, ticket in enumerate(states) if ticket.waits), len(states))
            assert not any(ticket.held for ticket in states[first_waiting:])

    def teardown(self) -> None:
        for _, ticket in getattr(self, "tickets", []):
            self.places.leave(ticket)
        if hasattr(self, "places"):
            assert (self.places.use().in_use, self.places.use().waiting) == (0, 0)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize(
    ("size", "share", "places"), [(20, 0.25, 5), (8, 0.25, 2), (3, 0.25, 1), (20, 0.3, 6), (1, 1, 1), (10, 1, 10)]
)
def test_share_is_rounded_down_and_at_least_one(size: int, share: float, places: int) -> None:
    assert share_of(size, share) == places


def test_threads_never_exceed_the_bounds() -> None:
    places = Places(4, 2)
    inside: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()

    def work(number: int) -> None:
        holder = f"holder {number % 3}"
        ticket = enter_and_wait(places, holder, PATIENCE_SECONDS, PATIENCE_SECONDS)
        assert ticket is not None
        with lock:
            inside.update([holder, "all"])
            most.update({name: max(0, inside[name] - most[name]) for name in (holder, "all")})
        with lock:
            inside.subtract([holder, "all"])
        places.leave(ticket)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(500)))
    assert most["all"] <= 4
    assert all(count <= 2 for name, count in most.items() if name != "all")
    assert places.use().in_use == 0


def test_full_class_is_refused_and_own_share_is_told_apart() -> None:
    places = Places(2, 1)
    assert places.try_enter("acme") is not None
    assert enter_and_wait(places, "acme", 0, 0) is None
    assert places.missing("acme") is Bound.SHARE
    assert places.try_enter("beta") is not None
    assert enter_and_wait(places, "gamma", 0, 0) is None
    assert places.missing("gamma") is Bound.SIZE
    assert places.use().refused == 2


def test_only_those_who_wait_for_others_make_a_line_long() -> None:
    places = Places(2, 1)
    places.enter("acme", lambda: None)
    places.enter("acme", lambda: None)
    assert places.waiting_for_others() == 0, "a place is free, but not for acme"
    places.enter("beta", lambda: None)
    assert places.waiting_for_others() == 0, "acme waits for itself"
    places.enter("gamma", lambda: None)
    assert places.waiting_for_others() == 1


def test_line_takes_as_long_as_the_work_before_it() -> None:
    pace = Pace(4)
    assert pace.wait_seconds(100) == 0
    for _ in range(100):
        pace.note(0.2)
    assert pace.wait_seconds(0) == 0
    assert pace.wait_seconds(8) == pytest.approx(0.4, rel=0.01)
    for _ in range(100):
        pace.note(0.1)
    assert pace.wait_seconds(8) == pytest.approx(0.2, rel=0.01)


async def _until(done: threading.Event) -> None:
    assert await asyncio.to_thread(done.wait, PATIENCE_SECONDS)


def test_request_that_is_cancelled_while_it_waits_frees_its_place() -> None:
    async def run() -> None:
        capacity = Capacity(CapacityTerms(threads=dict.fromkeys(Work, 1), wait_seconds=PATIENCE_SECONDS))
        began, let_go = threading.Event(), threading.Event()

        def stay() -> str:
            began.set()
            let_go.wait(PATIENCE_SECONDS)
            return "stayed"

        first = asyncio.create_task(capacity.in_thread(Work.WRITING, stay))
        await _until(began)
        second = asyncio.create_task(capacity.in_thread(Work.WRITING, lambda: "second"))
        third = asyncio.create_task(capacity.in_thread(Work.WRITING, lambda: "third"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert capacity.uses()["threads_writing"].waiting == 2
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        # Another kind of work has threads of its own.
        assert await capacity.in_thread(Work.ORDINARY, lambda: "answered") == "answered"
        let_go.set()
        assert (await first, await third) == ("stayed", "third")
        use = capacity.uses()["threads_writing"]
        assert (use.in_use, use.waiting) == (0, 0)

    asyncio.run(run())


def test_request_behind_a_long_line_is_refused_at_once() -> None:
    async def run() -> None:
        terms = CapacityTerms(dict.fromkeys(Work, 1), wait_seconds=PATIENCE_SECONDS, line_seconds=1e-9)
        capacity = Capacity(terms)
        began, let_go = threading.Event(), threading.Event()

        def stay() -> str:
            began.set()
            let_go.wait(PATIENCE_SECONDS)
            return "stayed"

        assert await capacity.in_thread(Work.WRITING, lambda: "shows the pace") == "shows the pace"
        first = asyncio.create_task(capacity.in_thread(Work.WRITING, stay))
        await _until(began)
        with capacity.let_in(Work.WRITING):
            """Nobody waits."""
        second = asyncio.create_task(capacity.in_thread(Work.WRITING, lambda: "second"))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="as many requests of this kind as it can"):
            capacity.let_in(Work.WRITING)
        with capacity.let_in(Work.ORDINARY):
            """Another kind of work has a line of its own."""
        with pytest.raises(UnavailableError, match="as many requests of this kind as it can"):
            await capacity.in_thread(Work.WRITING, lambda: "third")
        assert capacity.uses()["threads_writing"].refused == 2
        assert await capacity.in_thread(Work.ORDINARY, lambda: "another kind") == "another kind"
        let_go.set()
        assert (await first, await second) == ("stayed", "second")
        with capacity.let_in(Work.WRITING):
            """The line is gone."""

    asyncio.run(run())


def test_request_that_was_let_in_is_ahead_of_others_before_it_has_a_thread() -> None:
    async def run() -> None:
        terms = CapacityTerms(dict.fromkeys(Work, 2), share=0.5, requests_at_once=10, line_seconds=1e-9)
        capacity = Capacity(terms)
        assert await capacity.in_thread(Work.WRITING, lambda: "shows the pace") == "shows the pace"
        with ExitStack() as inside:
            inside.enter_context(capacity.let_in(Work.WRITING))
            async with AsyncExitStack() as known:
                for _ in range(3):
                    # All the same caller's: one of them is ahead of others.
                    inside.enter_context(capacity.let_in(Work.WRITING))
                    await known.enter_async_context(capacity.request("acme"))
                inside.enter_context(capacity.let_in(Work.WRITING))
                await known.enter_async_context(capacity.request("beta"))
                with body_arriving(), capacity.let_in(Work.WRITING):
                    """The body of the last is still on its way: it is ahead of nobody."""
                with pytest.raises(UnavailableError):
                    capacity.let_in(Work.WRITING)
        with capacity.let_in(Work.WRITING):
            """All have been answered."""

    asyncio.run(run())


class AnyArrivals(RuleBasedStateMachine):
    """The count is that of the definition, whatever comes and goes in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals = Arrivals(3, 2)
        self.inside: list[Arrival] = []

    @rule()
    def enter(self) -> None:
        self.inside.append(self.arrivals.enter())

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), holder=st.sampled_from(["acme", "beta", "gamma"]))
    def belongs_to(self, data: st.DataObject, holder: str) -> None:
        self.arrivals.belongs_to(data.draw(st.sampled_from(self.inside)), holder)

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), aside=st.booleans())
    def step(self, data: st.DataObject, *, aside: bool) -> None:
        chosen = data.draw(st.sampled_from(self.inside))
        (self.arrivals.step_aside if aside else self.arrivals.step_in)(chosen)

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.inside))
        self.arrivals.leave(chosen)
        self.arrivals.leave(chosen)
        self.inside.remove(chosen)

    @invariant()
    def counts_what_is_ahead(self) -> None:
        ahead = Counter(each.holder for each in self.inside if each.counts)
        unknown = min(ahead.pop(None, 0), 3)
        assert self.arrivals.beyond_size() == max(0, unknown + sum(min(each, 2) for each in ahead.values()) - 3)


TestAnyArrivals = AnyArrivals.TestCase
TestAnyArrivals.settings = settings(max_examples=30, stateful_step_count=20)


def test_work_in_a_thread_keeps_its_place_until_the_thread_ends() -> None:
    async def run() -> None:
        capacity = Capacity(CapacityTerms(threads=dict.fromkeys(Work, 1), wait_seconds=0.01))
        began, let_go = threading.Event(), threading.Event()

        def stay() -> None:
            began.set()
            let_go.wait(PATIENCE_SECONDS)

        first = asyncio.create_task(capacity.in_thread(Work.WRITING, stay))
        await _until(began)
        first.cancel()
        with pytest.raises(UnavailableError):
            await capacity.in_thread(Work.WRITING, lambda: None)
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        await capacity.in_thread(Work.WRITING, lambda: None)

    asyncio.run(run())


def test_own_share_in_use_is_429_and_others_pass() -> None:
    async def run() -> None:
        terms = CapacityTerms(threads=dict.fromkeys(Work, 4), wait_seconds=0.01, own_wait_seconds=0.02)
        capacity = Capacity(terms)
        began, let_go = threading.Event(), threading.Event()

        def stay() -> None:
            began.set()
            let_go.wait(PATIENCE_SECONDS)

        with working_for("acme", Purpose.WRITING):
            first = asyncio.create_task(capacity.in_thread(Work.WRITING, stay))
            await _until(began)
            with pytest.raises(TooManyRequestsError):
                await capacity.in_thread(Work.WRITING, lambda: None)
        with working_for("beta", Purpose.WRITING):
            assert await capacity.in_thread(Work.WRITING, lambda: "beta's") == "beta's"
        let_go.set()
        await first

    asyncio.run(run())
