"""How many requests a caller may send in a minute. Nothing here knows HTTP. Protocol §2.

A token that is in force has a count of its own, which only its holder can use up: a bearer token is counted when
it is sent, a v2x token when the HMAC is correct. Everything else counts for the address it comes from: requests
without a token, unknown tokens, wrong HMACs. An address that has used its limit still gets in with a valid token,
so its tokens are looked up all the same, but with a small capacity of their own (``Lookups``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from anyio import CapacityLimiter

from clearwindow.api.limits import MAX_CALLERS, Allowance, CallerLimits
from clearwindow.api.lookups import Find, Known, Lookups, Presented
from clearwindow.api.rate_counts import Counts, Kind, OwnCounts, Refusal, SharedCounts
from clearwindow.core.errors import TooManyRequestsError

NARROW_PAUSE_SECONDS: Final = 0.02
"""Between two look-ups for addresses over their limit: at most 50 statements in a second, whatever is sent."""


@dataclass(slots=True)
class Visit:
    """One request as the limits see it.

    Attributes:
        owner: whose requests at once it is one of.
        allowance: what its caller has left; None if it is not counted.
        narrow: the thread that checks of it must use, because its address has used its limit; None if it has not.
    """

    _rates: Rates
    address: str
    owner: str
    token_sha256: bytes | None = None
    known: Known | None = None
    allowance: Allowance | None = None
    narrow: CapacityLimiter | None = None

    async def verified(self) -> None:
        """Counts a signed call whose HMAC is correct.

        Raises:
            TooManyRequestsError: the token has used its limit.
        """
        await self._rates.count_verified(self)

    async def failed(self) -> None:
        """Counts, for its address, a signed call that is not of its token's holder.

        Raises:
            TooManyRequestsError: the address has used its limit.
        """
        await self._rates.count_failed(self)

    def forget(self) -> None:
        """Reports that the token is not in force. It is looked up when it comes again."""
        self._rates.forget(self)


class Rates:
    """Counts requests and refuses those over the limit."""

    def __init__(
        self, limits: CallerLimits, find: Find, *, counts: Counts | None = None, max_callers: int = MAX_CALLERS
    ) -> None:
        self._limit = limits.requests_per_minute
        self._counts = counts or counts_of(limits, max_callers)
        self._lookups = Lookups(find)
        self._narrow_lookups = Lookups(find, NARROW_PAUSE_SECONDS)
        self._narrow = CapacityLimiter(1)
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._max_callers = max_callers
        # Guards run in threads.
        self._lock = threading.Lock()

    async def enter(self, presented: Presented | None, address: str) -> Visit:
        """Counts a request that has just arrived, or, if it is signed, looks whether its token may send one more.

        Args:
            presented: the token that it shows, if any.
            address: the address to count by.

        Raises:
            TooManyRequestsError: its caller has used its limit.
        """
        known, narrow = await self._recognised(presented, address) if presented else (None, False)
        if presented is None or known is None:
            visit = Visit(self, address, f"address {address}", presented.token_sha256 if presented else None)
            await self._count_for_address(visit)
            return visit
        token = presented.token_sha256
        if presented.signed:
            if known.limited:
                await self._refuse_spent(Kind.TOKEN, token.hex())
            # Until the HMAC is verified, anybody may have named the token: its holder's requests must not wait.
            waiting_with = f"address {address} naming {token.hex()}"
            return Visit(self, address, waiting_with, token, known, narrow=self._narrow if narrow else None)
        visit = Visit(self, address, known.owner, token, known)
        await self._count_for_token(visit)
        return visit

    async def count_verified(self, visit: Visit) -> None:
        if visit.known is not None:
            visit.owner = visit.known.owner
            await self._count_for_token(visit)

    async def count_failed(self, visit: Visit) -> None:
        # Without a known token it was counted for its address when it came.
        if visit.known is not None:
            visit.known = None
            await self._count_for_address(visit)

    def forget(self, visit: Visit) -> None:
        if visit.token_sha256 is not None:
            with self._lock:
                self._known.pop(visit.token_sha256, None)

    async def _recognised(self, presented: Presented, address: str) -> tuple[Known | None, bool]:
        """Returns what is known of the token, and whether the address has used its limit."""
        with self._lock:
            known = self._known.get(presented.token_sha256)
            if known is not None:
                self._known.move_to_end(presented.token_sha256)
        if known is not None and not presented.signed:
            return known, False
        narrow = self._limit > 0 and await self._counts.spent_seconds(Kind.ADDRESS, address) is not None
        if known is None:
            known = await (self._narrow_lookups if narrow else self._lookups).known(presented)
            if known is not None:
                self._remember(presented.token_sha256, known)
        return known, narrow

    def _remember(self, token_sha256: bytes, known: Known) -> None:
        with self._lock:
            self._known[token_sha256] = known
            while len(self._known) > self._max_callers:
                self._known.popitem(last=False)

    async def _count_for_token(self, visit: Visit) -> None:
        if visit.known is not None and visit.known.limited and visit.token_sha256 is not None:
            visit.allowance = await self._counted(Kind.TOKEN, visit.token_sha256.hex())

    async def _count_for_address(self, visit: Visit) -> None:
        visit.allowance = await self._counted(Kind.ADDRESS, visit.address)

    async def _counted(self, kind: Kind, key: str) -> Allowance | None:
        if self._limit == 0:
            return None
        counted = await self._counts.take(kind, key)
        if isinstance(counted, Refusal):
            raise self._too_many(kind, counted.reset_seconds)
        return counted

    async def _refuse_spent(self, kind: Kind, key: str) -> None:
        seconds = await self._counts.spent_seconds(kind, key) if self._limit else None
        if seconds is not None:
            raise self._too_many(kind, seconds)

    def _too_many(self, kind: Kind, retry_after_seconds: int) -> TooManyRequestsError:
        what = "came with this token" if kind is Kind.TOKEN else "without a valid token came from your address"
        return TooManyRequestsError(
            "rate_limited",
            f"more than {self._limit} requests in a minute {what}: wait {retry_after_seconds} seconds",
            {"limitPerMinute": self._limit},
            retry_after_seconds=retry_after_seconds,
        )


def counts_of(limits: CallerLimits, max_callers: int = MAX_CALLERS) -> Counts:
    """Returns the counts that the limits ask for: of this process, or those of all processes with the store."""
    own = OwnCounts(limits.requests_per_minute, limits.clock, max_callers)
    return SharedCounts(own, limits.store, limits.requests_per_minute, limits.clock) if limits.store else own
