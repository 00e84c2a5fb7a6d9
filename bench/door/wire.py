"""Bytes to the server and back, without an HTTP client, which would refuse to send what an attacker sends."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from bench.door.outcome import Held

ATTACKER: Final = "127.0.0.66"
"""The address that attackers come from. Linux gives a host all of 127.0.0.0/8."""

NO_ANSWER: Final = "none"
REFUSED: Final = "no connection"
READ_BYTES: Final = 65_536
_SEND_BUFFER_BYTES: Final = 65_536
_CONNECT_SECONDS: Final = 10.0
_LAST_WORDS_SECONDS: Final = 1.0
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and where we come from."""

    host: str
    port: int
    source: str = ATTACKER


def head(method: str, path: str, token: str | None = None, **more: object) -> bytes:
    """Returns the head of a request; underscores in the names of further headers are hyphens."""
    headers = {"Host": "clearwindow", **{name.replace("_", "-"): value for name, value in more.items()}}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def with_body(method: str, path: str, token: str | None, body: bytes, **more: object) -> bytes:
    """Returns a whole request with a JSON body."""
    typed = {"Content_Type": "application/json", "Content_Length": len(body)}
    return head(method, path, token, **typed, **more) + body


async def connect(address: Address) -> socket.socket:
    """Opens a connection whose bytes leave at once: no large buffer of ours counts as taken.

    Raises:
        OSError: there was no connection, or none in time.
    """
    sock = socket.socket()
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        sock.bind((address.source, 0))
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (address.host, address.port))
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(slots=True)
class Talk:
    """An open connection: what it got rid of, what was answered, and when the server ended it."""

    sock: socket.socket
    started_at: float
    until_answered: bool = False
    sent_bytes: int = 0
    answer: bytearray = field(default_factory=bytearray)
    ended_at: float | None = None
    _reading: asyncio.Task[None] | None = None

    @property
    def reading(self) -> asyncio.Task[None]:
        """Ends when the server ends the connection, or has answered if that is all that is waited for."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def send(self, chunk: bytes) -> bool:
        """Sends a chunk, or as much of it as the server takes. Returns whether more may be sent."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(chunk), _SEND_BUFFER_BYTES):
            part = chunk[start : start + _SEND_BUFFER_BYTES]
            sending = asyncio.create_task(loop.sock_sendall(self.sock, part))
            try:
                await asyncio.wait({sending, self.reading}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _stop(sending)
            if sending.cancelled() or sending.exception() is not None:
                # What the server answered before it ended the connection may still be there to be read.
                await asyncio.wait({self.reading}, timeout=_LAST_WORDS_SECONDS)
                self.ended_at = self.ended_at or time.monotonic()
                return False
            self.sent_bytes += len(part)
        return not self.reading.done()

    async def close(self) -> Held:
        await _stop(self.reading)
        self.sock.close()
        end = self.ended_at or time.monotonic()
        return Held(self.sent_bytes, end - self.started_at, self.ended_at is not None, self._status())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while more := await loop.sock_recv(self.sock, READ_BYTES):
                # Only the status is needed.
                self.answer += more[: READ_BYTES - len(self.answer)]
                if self.until_answered and b"\r\n\r\n" in self.answer:
                    break
        self.ended_at = time.monotonic()

    def _status(self) -> str:
        found = _STATUS.match(self.answer)
        return found[1].decode() if found else NO_ANSWER


async def pour(
    address: Address,
    chunks: Iterable[bytes],
    longest_seconds: float,
    *,
    pause_seconds: float = 0,
    until_answered: bool = False,
) -> Held:
    """Sends the chunks until they end, the server ends the connection, or the time is over.

    Args:
        address: of the server.
        chunks: what is sent. After the last one, the connection stays open for the rest of the time.
        longest_seconds: when we give up.
        pause_seconds: between two chunks.
        until_answered: an answer counts as the end, because the request may be a whole one.
    """
    started_at = time.monotonic()
    try:
        talk = Talk(await connect(address), started_at, until_answered)
    except OSError:
        return no_connection(started_at)
    with suppress(TimeoutError):
        async with asyncio.timeout(longest_seconds):
            for chunk in chunks:
                if not await talk.send(chunk):
                    break
                if pause_seconds:
                    await asyncio.wait({talk.reading}, timeout=pause_seconds)
            if talk.ended_at is None:
                await asyncio.wait({talk.reading})
    return await talk.close()


async def exchange(address: Address, request: bytes, longest_seconds: float) -> Held:
    """Sends one whole request, and waits for its answer."""
    return await pour(address, [request], longest_seconds, until_answered=True)


def no_connection(started_at: float) -> Held:
    """Returns what became of a connection that never was."""
    return Held(0, time.monotonic() - started_at, ended=True, status=REFUSED)


async def _stop(task: asyncio.Task[None]) -> None:
    """Waits until the task has let go of its socket, whose number another one may get."""
    task.cancel()
    await asyncio.wait({task})
