"""How many requests each caller has made in its minute. The time is an argument; nothing here knows HTTP.

A token that was recognised has a count of its own. Whatever else arrives counts for the address it comes from, so
that trying tokens, of which there are endlessly many, costs neither memory nor database work without end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Final, Generic, TypeVar

from clearwindow.errors import TooManyRequestsError

WINDOW_SECONDS: Final = 60
MAX_CALLERS: Final = 100_000
_IPV6_NETWORK_BITS: Final = 64

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may still do in its minute."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class _Count:
    started_at: float
    requests: int = 0


class Windows(Generic[K]):
    """A minute per caller, beginning with its first request; who was quiet longest is forgotten."""

    def __init__(self, limit: int, max_callers: int = MAX_CALLERS) -> None:
        self._limit = limit
        self._max_callers = max_callers
        self._counts: OrderedDict[K, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, key: K, now: float) -> Allowance | None:
        """What is left after this request; None where nothing was left for it."""
        count = self._current(key, now)
        if count.requests >= self._limit:
            return None
        count.requests += 1
        return Allowance(self._limit, self._limit - count.requests, self.reset_seconds(key, now))

    def give_back(self, key: K) -> None:
        count = self._counts.get(key)
        if count is not None and count.requests > 0:
            count.requests -= 1

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


@dataclass(frozen=True, slots=True)
class _Known:
    """A recognised token: who it belongs to, and whether its requests are counted."""

    owner: str
    limited: bool


class Rates:
    """Admits requests. The counts are those of this process."""

    def __init__(self, limit_per_minute: int, clock: Callable[[], float], max_callers: int = MAX_CALLERS) -> None:
        self._limit = limit_per_minute
        self._clock = clock
        self._max_callers = max_callers
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._of_tokens: Windows[bytes] = Windows(limit_per_minute, max_callers)
        self._of_addresses: Windows[str] = Windows(limit_per_minute, max_callers)
        # Guards run in threads.
        self._lock = threading.Lock()

    def enter(self, token_sha256: bytes | None, address: str) -> Visit:
        """Counts a request that has just arrived.

        Raises:
            TooManyRequestsError: its caller has used up the minute.
        """
        with self._lock:
            known = self._known.get(token_sha256) if token_sha256 is not None else None
            if known is not None and token_sha256 is not None:
                self._known.move_to_end(token_sha256)
                allowance = self._take_of_token(token_sha256) if known.limited else None
                return Visit(self, token_sha256, address, known.owner, allowance, recognised=True)
            if self._limit == 0:
                return Visit(self, token_sha256, address, f"address {address}")
            now = self._clock()
            allowance = self._of_addresses.take(address, now)
            if allowance is None:
                raise _too_many(
                    "without a token that is known here came from your address",
                    self._limit,
                    self._of_addresses.reset_seconds(address, now),
                )
            return Visit(self, token_sha256, address, f"address {address}", allowance)

    def recognise(self, visit: Visit, owner: str, *, limited: bool) -> None:
        if visit.recognised or visit.token_sha256 is None:
            return
        with self._lock:
            visit.recognised = True
            self._of_addresses.give_back(visit.address)
            self._known[visit.token_sha256] = _Known(owner, limited)
            while len(self._known) > self._max_callers:
                self._known.popitem(last=False)
            visit.allowance = None
            visit.allowance = self._take_of_token(visit.token_sha256) if limited else None

    def refuse(self, visit: Visit) -> None:
        if visit.token_sha256 is not None:
            with self._lock:
                self._known.pop(visit.token_sha256, None)

    def _take_of_token(self, token_sha256: bytes) -> Allowance | None:
        if self._limit == 0:
            return None
        now = self._clock()
        allowance = self._of_tokens.take(token_sha256, now)
        if allowance is None:
            raise _too_many("came with this token", self._limit, self._of_tokens.reset_seconds(token_sha256, now))
        return allowance


@dataclass(slots=True)
class Visit:
    """One request on its way in: guards tell it whether they know its token."""

    _rates: Rates
    token_sha256: bytes | None
    address: str
    owner: str
    allowance: Allowance | None = None
    recognised: bool = field(default=False, kw_only=True)

    def recognise(self, owner: str, *, limited: bool) -> None:
        """The token is in force and belongs to this owner: from now on it has a count of its own.

        Raises:
            TooManyRequestsError: which is used up.
        """
        self._rates.recognise(self, owner, limited=limited)

    def refuse(self) -> None:
        """The token is not in force: whatever comes with it counts for its address."""
        self._rates.refuse(self)


def caller_address(host: str | None) -> str:
    """What counts as one address: of IPv6 the network that a site is given, since it may use all of it."""
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


def _too_many(what: str, limit: int, retry_after_seconds: int) -> TooManyRequestsError:
    return TooManyRequestsError(
        "rate_limited",
        f"more than {limit} requests in a minute {what}: wait {retry_after_seconds} seconds",
        {"limitPerMinute": limit},
        retry_after_seconds=retry_after_seconds,
    )
