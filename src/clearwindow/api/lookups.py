"""Looks tokens up for the limits, many in one statement, so that a flood of unknown tokens costs little."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from anyio import CapacityLimiter, to_thread

BATCH_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as a request shows it.

    Attributes:
        token_sha256: the token's hash, as it is stored.
        signed: the request names only the hash, and must prove with an HMAC that its sender has the token.
        address: where the request comes from; None if it is not known.
        of_console: it is the value of a session of the console, and no token.
    """

    token_sha256: bytes
    signed: bool
    address: IPv4Address | IPv6Address | None = None
    of_console: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A token that is in force: its owner, and whether its requests are counted."""

    owner: str
    limited: bool


Find = Callable[[Sequence[Presented]], Sequence[Known | None]]
"""Returns for each presented token what is known of it; None for one that is of no use. Runs in a thread."""


class Lookups:
    """Runs one statement at a time, for all tokens that wait for it, in a thread of its own.

    So the look-ups use one connection at most, and a token waits for two statements at most unless more than
    ``BATCH_SIZE`` others wait before it.
    """

    def __init__(self, find: Find, pause_seconds: float = 0) -> None:
        """Makes the look-ups.

        Args:
            find: the statement.
            pause_seconds: how long to wait after each statement.
        """
        self._find = find
        self._pause_seconds = pause_seconds
        self._waiting: list[tuple[Presented, asyncio.Future[Known | None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def known(self, presented: Presented) -> Known | None:
        """Returns what is known of a token. Raises what the statement raises."""
        found: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((presented, found))
        if self._running is None:
            # In a context of its own: it works for many requests, and the log must not name the first of them.
            self._running = asyncio.create_task(self._run(), context=contextvars.Context())
        return await found

    async def _run(self) -> None:
        thread = CapacityLimiter(1)
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
                await self._answer([entry for entry in batch if not entry[1].done()], thread)
                await asyncio.sleep(self._pause_seconds)
        finally:
            self._running = None

    async def _answer(
        self, batch: list[tuple[Presented, asyncio.Future[Known | None]]], thread: CapacityLimiter
    ) -> None:
        wanted = [presented for presented, _ in batch]
        try:
            answers = await to_thread.run_sync(partial(self._find, wanted), limiter=thread) if wanted else []
        except Exception as error:  # noqa: BLE001 - each request that waits for it raises it
            for _, found in batch:
                if not found.done():
                    found.set_exception(error)
            return
        for (_, found), known in zip(batch, answers, strict=True):
            if not found.done():
                found.set_result(known)
