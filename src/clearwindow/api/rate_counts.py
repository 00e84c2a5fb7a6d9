"""Counts of requests in a minute: those of this process, and those that several processes share.

While the store of the shared ones is away, each process uses its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import ceil
from typing import Final, Protocol, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from clearwindow.api.limits import MAX_CALLERS, WINDOW_SECONDS, Allowance, SharedStore, StoreAwayError, Windows

log = structlog.get_logger(__name__)
T = TypeVar("T")

AGAIN_SECONDS: Final = 2
"""How long a store that failed is not asked."""

LOG_EVERY_SECONDS: Final = 60
_THREADS: Final = 8


class Kind(StrEnum):
    """What is counted."""

    TOKEN = "token"  # noqa: S105 - the name of a kind
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is left, for so many seconds."""

    reset_seconds: int


class Counts(Protocol):
    async def take(self, kind: Kind, key: str) -> Allowance | Refusal:
        """Counts a request and returns what is left after it, or that nothing was left for it."""
        ...

    async def spent_seconds(self, kind: Kind, key: str) -> int | None:
        """Returns in how many seconds the key may send again; None if it may now. Counts nothing."""
        ...


class OwnCounts:
    """The counts of this process."""

    def __init__(self, limit: int, clock: Callable[[], float], max_callers: int = MAX_CALLERS) -> None:
        self._clock = clock
        # Endlessly many addresses must not make the process forget the tokens.
        self._windows: dict[Kind, Windows[str]] = {kind: Windows(limit, max_callers) for kind in Kind}

    async def take(self, kind: Kind, key: str) -> Allowance | Refusal:
        windows, now = self._windows[kind], self._clock()
        return windows.take(key, now) or Refusal(windows.reset_seconds(key, now))

    async def spent_seconds(self, kind: Kind, key: str) -> int | None:
        return self._windows[kind].spent_seconds(key, self._clock())


class SharedCounts:
    """The counts of all processes that use one store."""

    def __init__(self, own: OwnCounts, store: SharedStore, limit: int, clock: Callable[[], float]) -> None:
        self._own = own
        self._store = store
        self._limit = limit
        self._clock = clock
        self._threads = CapacityLimiter(_THREADS)
        self._spent: OrderedDict[tuple[Kind, str], float] = OrderedDict()
        self._ask_again_at = 0.0
        self._away = False
        self._logged_at: float | None = None

    async def take(self, kind: Kind, key: str) -> Allowance | Refusal:
        # Always counted here too, so that the process goes on from its own count when the store fails.
        own = await self._own.take(kind, key)
        spent = self._remembered(kind, key)
        if spent is not None:
            return Refusal(spent)
        counted = await self._asked(partial(self._store.add, f"{kind}:{key}", WINDOW_SECONDS))
        if counted is None:
            return own
        used, left_seconds = counted
        reset = min(WINDOW_SECONDS, max(1, ceil(left_seconds)))
        if used > self._limit:
            self._remember_spent(kind, key, left_seconds)
            return Refusal(reset)
        return Allowance(self._limit, self._limit - used, reset)

    async def spent_seconds(self, kind: Kind, key: str) -> int | None:
        spent = self._remembered(kind, key)
        if spent is not None:
            return spent
        counted = await self._asked(partial(self._store.read, f"{kind}:{key}"))
        if counted is None:
            return await self._own.spent_seconds(kind, key)
        used, left_seconds = counted
        if used < self._limit:
            return None
        self._remember_spent(kind, key, left_seconds)
        return min(WINDOW_SECONDS, max(1, ceil(left_seconds)))

    def _remembered(self, kind: Kind, key: str) -> int | None:
        """Returns how long the key is known to have nothing left, so that a flood does not ask the store."""
        until, now = self._spent.get((kind, key)), self._clock()
        if until is None or now >= until:
            self._spent.pop((kind, key), None)
            return None
        return max(1, ceil(until - now))

    def _remember_spent(self, kind: Kind, key: str, seconds: float) -> None:
        self._spent[kind, key] = self._clock() + seconds
        while len(self._spent) > MAX_CALLERS:
            self._spent.popitem(last=False)

    async def _asked(self, ask: Callable[[], T]) -> T | None:
        """Returns what the store says; None while it is away."""
        if self._clock() < self._ask_again_at:
            return None
        if self._away:
            # One request tries again; the others do not wait for it.
            self._ask_again_at = self._clock() + AGAIN_SECONDS
        try:
            answer = await to_thread.run_sync(ask, limiter=self._threads)
        except StoreAwayError as error:
            self._note_away(error)
            return None
        self._away, self._ask_again_at = False, 0.0
        return answer

    def _note_away(self, error: StoreAwayError) -> None:
        now = self._clock()
        self._away, self._ask_again_at = True, now + AGAIN_SECONDS
        if self._logged_at is None or now >= self._logged_at + LOG_EVERY_SECONDS:
            self._logged_at = now
            log.warning("rate_limit_store_away", error=str(error), counts="of this process alone")
