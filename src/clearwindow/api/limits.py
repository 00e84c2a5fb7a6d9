"""What one caller may do: so many requests in a minute. Nothing here knows HTTP.

``rates`` decides which count a request uses.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Final, Generic, Protocol, TypeVar

WINDOW_SECONDS: Final = 60
MAX_CALLERS: Final = 100_000
_IPV6_NETWORK_BITS: Final = 64

K = TypeVar("K", bound=Hashable)


class StoreAwayError(Exception):
    """The store of shared counts does not answer. The message is the kind of error."""


class SharedStore(Protocol):
    """Counts that several processes share. Its calls block, and raise ``StoreAwayError``."""

    def add(self, key: str, window_seconds: int) -> tuple[int, float]:
        """Counts one, and returns the count and for how many seconds it lasts. The first one begins the window."""
        ...

    def read(self, key: str) -> tuple[int, float]:
        """Returns the count and for how many seconds it lasts."""
        ...


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The limits of one caller. 0 means no limit.

    Attributes:
        requests_per_minute: of one token, and of one address without a valid token.
        requests_at_once: of one owner.
        wait_seconds: how long a request waits for its turn.
        clock: seconds, from any beginning.
        store: where several processes count together. Without it, each has its own counts.
        signed_version_2: calls may be signed with version 2, whose HMAC does not cover the method.
    """

    requests_per_minute: int = 0
    clock: Callable[[], float] = time.monotonic
    store: SharedStore | None = None
    signed_version_2: bool = True


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many requests a caller has left in its minute."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class _Count:
    started_at: float
    requests: int = 0


class Windows(Generic[K]):
    """A minute for each caller, which begins with its first request. The longest inactive caller is forgotten."""

    def __init__(self, limit: int, max_callers: int = MAX_CALLERS) -> None:
        self._limit = limit
        self._max_callers = max_callers
        self._counts: OrderedDict[K, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, key: K, now: float) -> Allowance | None:
        """Counts a request and returns what is left after it, or None if nothing was left for it."""
        count = self._current(key, now)
        if count.requests >= self._limit:
            return None
        count.requests += 1
        return Allowance(self._limit, self._limit - count.requests, self.reset_seconds(key, now))

    def spent_seconds(self, key: K, now: float) -> int | None:
        """Returns in how many seconds the key may send again; None if it may now. Counts nothing."""
        count = self._counts.get(key)
        if count is None or now >= count.started_at + WINDOW_SECONDS or count.requests < self._limit:
            return None
        return self.reset_seconds(key, now)

    def reset_seconds(self, key: K, now: float) -> int:
        count = self._counts.get(key)
        return max(1, ceil(count.started_at + WINDOW_SECONDS - now)) if count else WINDOW_SECONDS

    def _current(self, key: K, now: float) -> _Count:
        count = self._counts.get(key)
        if count is None or now >= count.started_at + WINDOW_SECONDS:
            count = self._counts[key] = _Count(now)
        self._counts.move_to_end(key)
        while len(self._counts) > self._max_callers:
            self._counts.popitem(last=False)
        return count


def caller_address(host: str | None) -> str:
    """Returns the address to count by. For IPv6 it is the /64 network, since one site has all of it."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    mapped = address.ipv4_mapped
    if mapped is not None:
        return str(mapped)
    return str(ip_network((int(address), _IPV6_NETWORK_BITS), strict=False))
