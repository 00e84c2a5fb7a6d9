"""How much of the server one kind of work, and one caller, may use at once. Protocol §2, decision 12.

Each kind of work has threads of its own. Who finds no thread waits without one: for less than a second if others
have them all, longer if the caller's own requests do. Who would wait too long behind others is refused at once,
before anything is done for it: a server that works on what it must refuse has no time for the others. What a
thread may then have of the database and of calls to partners is bounded there (``postgres/budget.py``,
``outbound/waits.py``).
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

from clearwindow.core.arrivals import Arrival, Arrivals
from clearwindow.core.errors import TooManyRequestsError, UnavailableError
from clearwindow.core.pace import Pace
from clearwindow.core.places import WITHOUT_BOUND, Bound, Places, Ticket, Use, share_of
from clearwindow.core.work import CapacityTerms, Work, working

T = TypeVar("T")

_RETRY_WHEN_BUSY_SECONDS: Final = 1


class Capacity:
    """The threads of one server, and the requests at once of its callers."""

    def __init__(self, terms: CapacityTerms) -> None:
        self._terms = terms
        self._threads = {work: Places(size, share_of(size, terms.share)) for work, size in terms.threads.items()}
        self._arrivals = {work: Arrivals(each.size, each.share) for work, each in self._threads.items()}
        self._paces = {work: Pace(size) for work, size in terms.threads.items()}
        self._requests = Places(WITHOUT_BOUND, terms.requests_at_once or WITHOUT_BOUND)
        self._large_bodies = Places(terms.large_bodies, share_of(terms.large_bodies, terms.share))

    def uses(self) -> dict[str, Use]:
        """Returns what the requests at once, the large bodies, and the threads of each kind are used for."""
        of_threads = {f"threads_{work}": places.use() for work, places in self._threads.items()}
        return {"requests": self._requests.use(), "large_bodies": self._large_bodies.use(), **of_threads}

    @asynccontextmanager
    async def request(self, owner: str) -> AsyncIterator[None]:
        """Holds one of the requests that this caller may have at once. The others wait without a thread.

        Raises:
            TooManyRequestsError: none ended in time, or too many wait already.
        """
        let_in = _own.get()
        if let_in is not None:
            let_in.arrivals.belongs_to(let_in.arrival, owner)
        ticket = await self._entered(self._requests, owner, self._terms.own_wait_seconds)
        of_body: list[Ticket] = []
        outer = _of_body.set(of_body)
        try:
            yield
        finally:
            _of_body.reset(outer)
            for each in of_body:
                self._large_bodies.leave(each)
            self._requests.leave(ticket)

    async def hold_large_body(self) -> None:
        """Holds one of the large bodies that the server keeps in memory at once, until the request ends.

        Raises:
            UnavailableError: the server has as many as it may.
            TooManyRequestsError: the caller's own requests have all that it may have.
        """
        of_body = _of_body.get()
        if not of_body:
            of_body.append(await self._entered(self._large_bodies, working().holder, self._terms.wait_seconds))

    def let_in(self, work: Work) -> AbstractContextManager[None]:
        """Lets a request for this kind of work in, until the block ends.

        Raises:
            UnavailableError: it would wait too long behind others.
        """
        arrivals = self._arrivals[work]
        if self._is_long(work, max(arrivals.beyond_size(), self._threads[work].waiting_for_others())):
            raise self._refusal(work)
        return _among(arrivals)

    async def in_thread(self, work: Work, function: Callable[[], T]) -> T:
        """Runs the function in a thread of this kind.

        Raises:
            UnavailableError: all threads of the kind stayed busy.
            TooManyRequestsError: the caller's own requests kept all that it may have.
        """
        places, pace, holder = self._threads[work], self._paces[work], working().holder
        # Others may have come while this one was read.
        if places.missing(holder) and self._is_long(work, places.waiting_for_others()):
            raise self._refusal(work)
        ticket = await self._entered(places, holder, self._terms.wait_seconds)
        # A request that is cancelled leaves its thread behind: the place is the thread's until it ends.
        first = threading.Lock()

        def run() -> T:
            if not first.acquire(blocking=False):
                raise LookupError("the request was cancelled before its thread began")
            began = time.monotonic()
            try:
                return function()
            finally:
                pace.note(time.monotonic() - began)
                places.leave(ticket)

        try:
            # The place is the bound.
            return await to_thread.run_sync(run, limiter=CapacityLimiter(math.inf))
        finally:
            if first.acquire(blocking=False):
                places.leave(ticket)

    def _is_long(self, work: Work, waiting: int) -> bool:
        return self._paces[work].wait_seconds(waiting) > self._terms.line_seconds

    def _refusal(self, work: Work) -> UnavailableError:
        self._threads[work].count_refusal()
        return _no_capacity()

    async def _entered(self, places: Places, holder: str | None, seconds: float) -> Ticket:
        loop = asyncio.get_running_loop()
        free = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(free.set)

        ticket = places.enter(holder, wake)
        try:
            if not ticket.held:
                await self._wait(places, ticket, free, seconds)
        except BaseException:
            places.leave(ticket)
            raise
        return ticket

    async def _wait(self, places: Places, ticket: Ticket, free: asyncio.Event, seconds: float) -> None:
        await _within(free, ticket, seconds)
        if not ticket.held and places.missing(ticket.holder) is Bound.SHARE:
            await _within(free, ticket, self._terms.own_wait_seconds - seconds)
        if ticket.held:
            return
        bound = places.missing(ticket.holder)
        places.refuse(ticket)
        raise _too_many_at_once(places.share) if bound is Bound.SHARE else _no_capacity()


@contextmanager
def _among(arrivals: Arrivals) -> Iterator[None]:
    let_in = _LetIn(arrivals, arrivals.enter())
    outer = _own.set(let_in)
    try:
        yield
    finally:
        _own.reset(outer)
        arrivals.leave(let_in.arrival)


async def _within(free: asyncio.Event, ticket: Ticket, seconds: float) -> None:
    if seconds <= 0 or not ticket.waits:
        return
    try:
        async with asyncio.timeout(seconds):
            await free.wait()
    except TimeoutError:
        return


@dataclass(frozen=True, slots=True)
class _LetIn:
    """A request that was let in, among those of its kind of work."""

    arrivals: Arrivals
    arrival: Arrival


_own: Final[ContextVar[_LetIn | None]] = ContextVar("clearwindow_let_in", default=None)
"""This request, if it was let in as one of its kind."""
_current: Final[ContextVar[Capacity | None]] = ContextVar("clearwindow_capacity", default=None)
_of_body: Final[ContextVar[list[Ticket]]] = ContextVar("clearwindow_large_body")
"""The place of this request's large body, if it has one."""


def use_capacity(capacity: Capacity) -> None:
    """Says whose threads the rest of this request's task uses."""
    _current.set(capacity)


async def in_thread(work: Work, function: Callable[[], T]) -> T:
    """Runs a function in a thread and returns its result.

    Raises:
        UnavailableError, TooManyRequestsError: see ``Capacity.in_thread``.
    """
    return await _capacity().in_thread(work, function)


@contextmanager
def body_arriving() -> Iterator[None]:
    """While a request waits for its own caller to send the body, it is ahead of nobody else's."""
    let_in = _own.get()
    if let_in is None:
        yield
        return
    let_in.arrivals.step_aside(let_in.arrival)
    try:
        yield
    finally:
        let_in.arrivals.step_in(let_in.arrival)


async def hold_large_body() -> None:
    """Holds a place for a large body until the request ends.

    Raises:
        UnavailableError, TooManyRequestsError: see ``Capacity.hold_large_body``.
    """
    await _capacity().hold_large_body()


def _capacity() -> Capacity:
    capacity = _current.get()
    if capacity is None:
        raise LookupError("capacity belongs to a server: the edge says which")
    return capacity


def _too_many_at_once(limit: int) -> TooManyRequestsError:
    return TooManyRequestsError(
        "too_many_at_once",
        f"{limit} requests of yours are being worked on and more wait: send fewer at the same time",
        {"limitAtOnce": limit},
        retry_after_seconds=_RETRY_WHEN_BUSY_SECONDS,
    )


def _no_capacity() -> UnavailableError:
    return UnavailableError(
        "server_busy",
        "the server works on as many requests of this kind as it can: send exactly the same request again, it is"
        " never carried out twice",
        retry_after_seconds=_RETRY_WHEN_BUSY_SECONDS,
    )
