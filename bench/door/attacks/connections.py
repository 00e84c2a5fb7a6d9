"""Connections that are opened and then hardly used."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import Final

from bench.door.attacks.attack import Attack, Field
from bench.door.many import hold, open_and_leave
from bench.door.outcome import Held, Taken
from bench.door.wire import head, pour

_HALF_SENT: Final = 1_000
_SLOW: Final = 200
_IDLE: Final = 2_000
_OPENED: Final = 20_000
_OPENED_AT_ONCE: Final = 200
_FLOOD_SECONDS: Final = 10.0
_HELD_SECONDS: Final = 35.0
_SLOW_BYTES: Final = 1_000
_HALF_A_HANDSHAKE: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01"
"""The beginning of a ClientHello of 512 bytes."""

_HALF_A_HEAD: Final = b"GET /healthz HTTP/1.1\r\nHost: clearwindow\r\nx-half: "


async def half_sent(field: Field) -> Taken:
    return _all(await hold(field.address, _HALF_A_HEAD, field.count(_HALF_SENT), field.seconds(_HELD_SECONDS)))


async def half_handshakes(field: Field) -> Taken:
    seconds = field.seconds(_HELD_SECONDS)
    return _all(await hold(field.address, _HALF_A_HANDSHAKE, field.count(_HALF_SENT), seconds))


async def idle(field: Field) -> Taken:
    return _all(await hold(field.address, b"", field.count(_IDLE), field.seconds(_HELD_SECONDS)))


async def slow_bodies(field: Field) -> Taken:
    """A byte a second, from a token that may only read: as filters, whose body is read before anything else."""
    path = f"/api/network/v1/enterprises/{field.target.reader.id}/clients/settlements"
    started = head(
        "GET", path, field.target.reader_token, Content_Type="application/json", Content_Length=_SLOW_BYTES
    )
    longest = field.seconds(_HELD_SECONDS)
    talks = (
        pour(field.address, [started, *repeat(b" ", _SLOW_BYTES - 1)], longest, pause_seconds=1)
        for _ in range(field.count(_SLOW))
    )
    return _all(await asyncio.gather(*talks))


async def opened(field: Field) -> Taken:
    seconds, most = field.seconds(_FLOOD_SECONDS), field.count(_OPENED)
    return Taken(answers=await open_and_leave(field.address, seconds, _OPENED_AT_ONCE, most))


def _all(held: list[Held]) -> Taken:
    taken = Taken()
    for one in held:
        taken.add(one)
    return taken


ATTACKS: Final = (
    Attack("half-sent", "1 000 requests of which half a head is sent", half_sent),
    Attack("tls-handshakes", "1 000 TLS handshakes that stay half done", half_handshakes, tls=True),
    Attack("slow-bodies", "200 filter bodies, a byte a second, with a token that may only read", slow_bodies),
    Attack("idle-connections", "2 000 connections of one address on which nothing is sent", idle),
    Attack("opened-connections", "connections of one address, opened and closed for 10 s", opened),
)
