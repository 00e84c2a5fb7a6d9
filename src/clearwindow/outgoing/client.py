"""One HTTP client for a whole process, in a thread with a loop of its own, for code that waits for an answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from clearwindow.outgoing.addresses import AddressRefusedError, is_public, require_callable

_CLOSE_SECONDS: Final = 5
_CHUNK_BYTES: Final = 16 * 1024
_REDIRECT: Final = range(300, 400)


class NoAnswerError(Exception):
    """Nothing that counts as an answer came; the message says what came instead, and never a body.

    ``sent`` is False where the other side cannot have seen anything of it.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: its body is whole, and no larger than was allowed."""

    status: int
    body: bytes
    retry_after: str | None


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
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def send(self, request: Request, *, lane: str, timeout_seconds: float | None = None) -> Reply:
        """The reply, within the time that is given for everything from the name's lookup to the last byte.

        Raises:
            NoAnswerError: none came.
        """
        try:
            require_callable(request.url, allow_private=self.allow_private)
        except AddressRefusedError as error:
            raise NoAnswerError(f"the address {error}", sent=False) from None
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._in_lane(lane):
            loop = self._running_loop()
            future = asyncio.run_coroutine_threadsafe(self._exchange(request, seconds), loop)
            try:
                return future.result()
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
                raise NoAnswerError(busy, sent=False)
            self._lanes[lane] += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes[lane] -= 1
                if self._lanes[lane] == 0:
                    del self._lanes[lane]

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise NoAnswerError("this process is ending", sent=False)
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="outgoing", daemon=True)
                self._thread.start()
            return self._loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _exchange(self, request: Request, seconds: float) -> Reply:
        try:
            return await self._ask(request, seconds)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {seconds:.1f} seconds") from None
        except AddressRefusedError as error:
            raise NoAnswerError(f"the address {error}", sent=False) from None
        except aiohttp.InvalidURL:
            raise NoAnswerError("the address is not one that can be called", sent=False) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError(plain(error)) from None

    async def _ask(self, request: Request, seconds: float) -> Reply:
        async with self._open_session().request(
            request.method,
            request.url,
            data=request.body,
            headers={"Accept-Encoding": "identity", **request.headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            if response.status in _REDIRECT:
                raise NoAnswerError(f"a redirect ({response.status}), which is not followed")
            return Reply(response.status, await self._bounded(response), response.headers.get("Retry-After"))

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._reply_bytes:
                response.close()
                raise NoAnswerError(f"an answer of more than {self._reply_bytes} bytes")
        return body

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = guarded_session(allow_private=self.allow_private)
        return self._session

    async def _shut(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def guarded_session(*, allow_private: bool) -> aiohttp.ClientSession:
    """A session that connects to the very addresses that it has looked at. To be made and closed in one loop."""
    resolver = _GuardedResolver(allow_private=allow_private)
    # What we resolved is what we connect to: nothing is kept for later but connections that are open.
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0)
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    )


class _GuardedResolver(AbstractResolver):
    """Gives only addresses that may be called; one that may not spoils the name, whatever else it stands for."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if not self._allow_private and not all(map(is_public, addresses)):
            raise AddressRefusedError("stands for one in a private range, which the settings do not allow")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address, (kind, _, protocol, *_) in zip(addresses, found, strict=True)
        ]

    async def close(self) -> None:
        """Nothing is held open."""


def plain(error: Exception) -> str:
    """What went wrong in a few words of ours: a library's own may quote what was sent or answered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not one that is trusted for this name"
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is not one that can be called"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection to it can be made"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return "the connection ended before the answer did"
    return f"what came is not an HTTP answer ({type(error).__name__})"
