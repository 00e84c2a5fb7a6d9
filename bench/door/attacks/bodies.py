"""Large bodies that cost more to read than to send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from bench.door.attacks.attack import Attack, Field
from bench.door.outcome import MEBIBYTE, Taken
from bench.door.wire import exchange, with_body

_BYTES: Final = 31 * MEBIBYTE
_AT_ONCE: Final = 4
_LONGEST_SECONDS: Final = 60.0


def _filled(beginning: bytes, part: bytes, end: bytes, size: int) -> bytes:
    return beginning + part * ((size - len(beginning) - len(end)) // len(part)) + end


def _nasty(size: int) -> list[bytes]:
    """Endlessly many entries, endless depth, one endless number, and one text of nothing but escapes."""
    return [
        _filled(b'{"settlementAmounts":[', b"[],", b"[]]}", size),
        _filled(b'{"settlementAmounts":', b"[", b"", size),
        _filled(b'{"cutoffAt":', b"9", b"}", size),
        _filled(b'{"payload":"', rb"\u0041", b'"}', size),
    ]


async def _send(field: Field, requests: Sequence[bytes]) -> Taken:
    taken = Taken()
    longest = field.seconds(_LONGEST_SECONDS)
    for held in await asyncio.gather(*(exchange(field.address, request, longest) for request in requests)):
        taken.add(held)
    return taken


async def filters(field: Field) -> Taken:
    path = f"/api/network/v1/enterprises/{field.target.reader.id}/clients/settlements"
    body = _filled(b"[", b"[],", b"[]]", field.count(_BYTES))
    return await _send(field, [with_body("GET", path, field.target.reader_token, body)] * _AT_ONCE)


async def settlements(field: Field) -> Taken:
    path = f"/api/network/v2/enterprises/{field.target.settled.partner.enterprise.id}/partners/settlements"
    bodies = _nasty(field.count(_BYTES))
    return await _send(field, [with_body("POST", path, field.target.settler_token, body) for body in bodies])


ATTACKS: Final = (
    Attack("filter-bodies", "4 filter bodies of [], with 31 MB each, with a token that may only read", filters),
    Attack(
        "settlement-bodies",
        "4 settlement bodies of 31 MB with a settler's token: entries, depth, a number, escapes",
        settlements,
    ),
)
