"""Many connections at once: held open, or used for requests as fast as they are answered."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from bench.door.outcome import Answers, Held
from bench.door.wire import NO_ANSWER, READ_BYTES, REFUSED, Address, Talk, connect, no_connection

_CONNECTING_AT_ONCE: Final = 100


async def hold(address: Address, first: bytes, count: int, seconds: float) -> list[Held]:
    """Opens ``count`` connections, sends the same on each, and leaves them open for ``seconds`` after the last."""
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    opened = await asyncio.gather(*(_open(address, first, gate) for _ in range(count)))
    talks = [one for one in opened if isinstance(one, Talk)]
    if talks:
        await asyncio.wait([talk.reading for talk in talks], timeout=seconds)
    closed = await asyncio.gather(*(talk.close() for talk in talks))
    return [*closed, *(one for one in opened if isinstance(one, Held))]


async def _open(address: Address, first: bytes, gate: asyncio.Semaphore) -> Talk | Held:
    async with gate:
        started_at = time.monotonic()
        try:
            talk = Talk(await connect(address), started_at)
        except OSError:
            return no_connection(started_at)
        await talk.send(first)
        # From here on it reads, so that it knows when it is ended.
        _ = talk.reading
        return talk


async def flood(
    address: Address, request: Callable[[int], bytes], seconds: float, connections: int, most: int
) -> Answers:
    """Sends requests as fast as they are answered, over connections that stay open. Counts the statuses.

    Args:
        address: of the server.
        request: returns the request with this number.
        seconds: how long.
        connections: how many at once.
        most: so many requests at most.
    """
    answers: Answers = Answers()
    numbers = iter(range(most))

    async def run() -> None:
        while await _requests(address, request, numbers, answers):
            pass

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(run() for _ in range(connections)))
    return answers


async def open_and_leave(address: Address, seconds: float, at_once: int, most: int) -> Answers:
    """Opens connections and closes them at once, as fast as it goes. Counts those that were had."""
    answers: Answers = Answers()
    numbers = iter(range(most))

    async def run() -> None:
        for _ in numbers:
            try:
                (await connect(address)).close()
                answers["opened"] += 1
            except OSError:
                answers[REFUSED] += 1

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(run() for _ in range(at_once)))
    return answers


async def _requests(
    address: Address, request: Callable[[int], bytes], numbers: Iterator[int], answers: Answers
) -> bool:
    """Sends requests over one connection, until one of both ends it. Returns whether there are more to send."""
    try:
        sock = await connect(address)
    except OSError:
        answers[REFUSED] += 1
        return next(numbers, None) is not None
    with sock:
        for number in numbers:
            try:
                await asyncio.get_running_loop().sock_sendall(sock, request(number))
                status, last = await _one_answer(sock)
            except OSError:
                answers[NO_ANSWER] += 1
                return True
            answers[status] += 1
            if last:
                return True
    return False


async def _one_answer(sock: socket.socket) -> tuple[str, bool]:
    """Reads one answer; ours say how long they are. Returns its status and whether it is the last one."""
    loop = asyncio.get_running_loop()
    taken = bytearray()
    while b"\r\n\r\n" not in taken:
        taken += await _some(loop, sock)
    raw_head, _, body = bytes(taken).partition(b"\r\n\r\n")
    lines = raw_head.decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    missing = int(headers.get("content-length", 0)) - len(body)
    while missing > 0:
        missing -= len(await _some(loop, sock))
    return lines[0].split(" ")[1], headers.get("connection") == "close"


async def _some(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    some = await loop.sock_recv(sock, READ_BYTES)
    if not some:
        raise ConnectionError("the server ended the connection")
    return some
