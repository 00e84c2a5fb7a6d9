"""A blocking HTTP client for the whole process. Its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from clearwindow.core.places import Use
from clearwindow.outbound.addresses import AddressRefusedError, require_callable
from clearwindow.outbound.models import NoAnswerError, Reply, Request
from clearwindow.outbound.waits import Wait, Waits, WaitTerms

if TYPE_CHECKING:
    from clearwindow.outbound.transport import Exchange

_CLOSE_SECONDS: Final = 5
_WAITS: Final = WaitTerms()
INLINE: Final = "inline"
"""The calls that a client waits for."""
BACKGROUND_CALLS: Final = 8
"""How many calls of one kind of due work a process makes at the same time."""


class Outgoing:
    """Sends requests from any thread. It follows no redirects and uses no proxy.

    It resolves names itself and connects to exactly the address that it has checked. A ``lane`` names the receiver:
    each lane has at most ``lane_width`` requests at a time, so that one slow receiver cannot take all threads.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_seconds: float = 10,
        reply_bytes: int = 65_536,
        lane_width: int = 8,
        waits: WaitTerms = _WAITS,
    ) -> None:
        self.allow_private = allow_private
        self.timeout_seconds = timeout_seconds
        self._reply_bytes = reply_bytes
        self._lane_width = lane_width
        self._terms = waits
        self._waits = {INLINE: Waits(waits.at_once, share=waits.share, silent_share=waits.silent_share)}
        self._lanes: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: Exchange | None = None
        self._closed = False

    def waits(self, kind: str) -> Waits:
        """Returns the waits of one kind of calls: ``INLINE``, or the name of a kind of due work."""
        with self._lock:
            if kind not in self._waits:
                self._waits[kind] = Waits(
                    BACKGROUND_CALLS,
                    share=self._terms.share,
                    silent_share=self._terms.silent_share,
                    # Due work takes partners in turn already.
                    calls_of_partner=BACKGROUND_CALLS,
                )
            return self._waits[kind]

    def uses(self) -> dict[str, Use]:
        """Returns how many calls are under way, and how many of them wait for long, by kind."""
        with self._lock:
            kinds = list(self._waits.items())
        return {name: use for kind, waits in kinds for name, use in waits.uses(kind).items()}

    def send(
        self, request: Request, *, lane: str, timeout_seconds: float | None = None, wait: Wait | None = None
    ) -> Reply:
        """Returns the reply. The time limit covers everything from the name lookup to the last byte.

        ``wait``: the wait that this request is a part of. It is cut short if there is no place for a long one.

        Raises:
            NoAnswerError: there was no complete reply.
        """
        try:
            require_callable(request.url, allow_private=self.allow_private)
        except AddressRefusedError as error:
            raise NoAnswerError(f"the address {error}") from None
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._in_lane(lane):
            try:
                return _reply(self._start(request, seconds), wait)
            except CancelledError:
                raise NoAnswerError("this process is ending") from None

    def close(self) -> None:
        """Cancels all requests. Their callers get ``NoAnswerError``."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._shut(), loop).result(_CLOSE_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_SECONDS)

    @contextmanager
    def _in_lane(self, lane: str) -> Iterator[None]:
        with self._lock:
            if self._lanes[lane] >= self._lane_width:
                busy = f"{self._lane_width} calls to the same endpoint are already under way"
                raise NoAnswerError(busy, tried=False)
            self._lanes[lane] += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes[lane] -= 1
                if self._lanes[lane] == 0:
                    del self._lanes[lane]

    def _start(self, request: Request, seconds: float) -> Future[Reply]:
        # Under the lock, so that ``close`` cancels every request that has started.
        with self._lock:
            if self._closed:
                raise NoAnswerError("this process is ending", tried=False)
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="outgoing", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(self._exchange(request, seconds), self._loop)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _exchange(self, request: Request, seconds: float) -> Reply:
        if self._connections is None:
            # The HTTP library is slow to load. A process that calls nobody does not need it.
            from clearwindow.outbound.transport import Exchange  # noqa: PLC0415

            self._connections = Exchange(allow_private=self.allow_private, reply_bytes=self._reply_bytes)
        return await self._connections.send(request, seconds)

    async def _shut(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connections is not None:
            await self._connections.close()


def _reply(future: Future[Reply], wait: Wait | None) -> Reply:
    short_seconds = wait.short_seconds() if wait is not None else None
    if wait is None or short_seconds is None:
        return future.result()
    try:
        return future.result(short_seconds)
    except TimeoutError:
        if future.done() or wait.goes_on():
            return future.result()
    future.cancel()
    said = f"no answer within {wait.seconds():.1f} seconds, and too many calls wait for longer"
    raise NoAnswerError(said, cut_short=True)
