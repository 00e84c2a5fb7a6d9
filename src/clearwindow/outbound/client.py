"""One HTTP client for a whole process, in a thread with a loop of its own, for code that waits for an answer."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from clearwindow.outgoing.addresses import AddressRefusedError, require_callable
from clearwindow.outgoing.values import NoAnswerError, Reply, Request

if TYPE_CHECKING:
    from clearwindow.outgoing.exchange import Exchange

_CLOSE_SECONDS: Final = 5


class Outgoing:
    """Sends requests from any thread. No redirect is followed, no proxy of the environment is used.

    Every name is resolved by us, and the connection goes to the very address that was looked at. A ``lane`` is whom
    the requests are for: each has only so many under way, so that one that is slow cannot take all threads.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_seconds: float = 10,
        reply_bytes: int = 65_536,
        lane_width: int = 8,
    ) -> None:
        self.allow_private = allow_private
        self.timeout_seconds = timeout_seconds
        self._reply_bytes = reply_bytes
        self._lane_width = lane_width
        self._lanes: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: Exchange | None = None
        self._closed = False

    def send(self, request: Request, *, lane: str, timeout_seconds: float | None = None) -> Reply:
        """The reply, within the time that is given for everything from the name's lookup to the last byte.

        Raises:
            NoAnswerError: none came.
        """
        try:
            require_callable(request.url, allow_private=self.allow_private)
        except AddressRefusedError as error:
            raise NoAnswerError(f"the address {error}") from None
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._in_lane(lane):
            try:
                return self._begun(request, seconds).result()
            except CancelledError:
                raise NoAnswerError("this process is ending") from None

    def close(self) -> None:
        """Ends what is under way; whoever waits for it gets no answer."""
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
                busy = f"{self._lane_width} calls to the same endpoint are under way already"
                raise NoAnswerError(busy, tried=False)
            self._lanes[lane] += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes[lane] -= 1
                if self._lanes[lane] == 0:
                    del self._lanes[lane]

    def _begun(self, request: Request, seconds: float) -> Future[Reply]:
        # Under the lock, so that whatever is begun is begun before ``close``, which ends it.
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
            # Loading the HTTP library takes a while, which a process that calls nobody should not wait for.
            from clearwindow.outgoing.exchange import Exchange  # noqa: PLC0415

            self._connections = Exchange(allow_private=self.allow_private, reply_bytes=self._reply_bytes)
        return await self._connections.send(request, seconds)

    async def _shut(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connections is not None:
            await self._connections.close()
