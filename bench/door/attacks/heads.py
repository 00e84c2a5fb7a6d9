"""Heads that never end: a request line, one header, or endlessly many headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain, count, islice, repeat
from typing import Final

from bench.door.attacks.attack import Attack, Field
from bench.door.outcome import MEBIBYTE, Taken
from bench.door.wire import pour

_CONNECTIONS: Final = 2
_CHUNK: Final = b"a" * 65_536
_MOST_BYTES: Final = 64 * MEBIBYTE
_LONGEST_SECONDS: Final = 40.0
_HEADERS_IN_A_CHUNK: Final = 2_000
_REQUEST: Final = b"GET /healthz HTTP/1.1\r\nHost: clearwindow\r\n"


def _endless(beginning: bytes) -> Iterator[bytes]:
    return chain([beginning], repeat(_CHUNK, _MOST_BYTES // len(_CHUNK)))


def _headers() -> Iterator[bytes]:
    numbers = count()
    yield _REQUEST
    for _ in range(_MOST_BYTES // len(_CHUNK)):
        yield b"".join(b"x-header-%d: value of it\r\n" % n for n in islice(numbers, _HEADERS_IN_A_CHUNK))


async def _pour(field: Field, beginnings: list[Iterator[bytes]]) -> Taken:
    taken = Taken()
    longest = field.seconds(_LONGEST_SECONDS)
    for held in await asyncio.gather(*(pour(field.address, chunks, longest) for chunks in beginnings)):
        taken.add(held)
    return taken


async def request_line(field: Field) -> Taken:
    return await _pour(field, [_endless(b"GET /") for _ in range(_CONNECTIONS)])


async def one_header(field: Field) -> Taken:
    return await _pour(field, [_endless(_REQUEST + b"x-endless: ") for _ in range(_CONNECTIONS)])


async def many_headers(field: Field) -> Taken:
    return await _pour(field, [_headers() for _ in range(_CONNECTIONS)])


ATTACKS: Final = (
    Attack("endless-request-line", "2 connections, each with a request line that never ends", request_line),
    Attack("endless-header", "2 connections, each with one header that never ends", one_header),
    Attack("endless-headers", "2 connections, each with headers without end", many_headers),
)
