"""Requests that wait for somebody else: for a partner that never answers, or for a lock that is not let go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from bench.door.attacks.attack import Attack, Field
from bench.door.many import flood
from bench.door.network import Waiting, silence
from bench.door.outcome import Answers, Taken
from bench.door.wire import exchange, head, with_body
from tests.support.settlements import fields_of

_SECONDS: Final = 20.0
_PER_CLIENT: Final = 8
_LOCK_WAITERS: Final = 20
_LOCKED_CONNECTIONS: Final = 5
_MOST: Final = 1_000
_INTRODUCTION_SECONDS: Final = 20.0
_BACKLOG: Final = 1_000
_HOLD_PARTNER: Final = "SELECT FROM partner WHERE id = %s FOR UPDATE"
_HOLD_CONNECTION: Final = "SELECT FROM connection WHERE id = %s FOR UPDATE"


async def few_partners(field: Field) -> Taken:
    return await _silent(field, field.target.silent[:7])


async def many_partners(field: Field) -> Taken:
    return await _silent(field, field.target.silent)


async def _silent(field: Field, waiting: Sequence[Waiting]) -> Taken:
    """All clients ask for allocations; none of their partners ever answers the server."""
    await _introduce(field, [(one.connection.client.enterprise.id, one.token) for one in waiting])
    async with _never_answering() as address:
        await asyncio.to_thread(silence, field.operator, field.target, address)
        seconds = field.seconds(_SECONDS)
        answers: list[Answers] = await asyncio.gather(*(_allocate(field, one, seconds) for one in waiting))
    return Taken(answers=sum(answers, Answers()))


async def _allocate(field: Field, waiting: Waiting, seconds: float) -> Answers:
    connection = waiting.connection
    enterprise = connection.client.enterprise
    path = f"/api/network/v1/enterprises/{enterprise.id}{connection.path}/allocations"

    def request(_: int) -> bytes:
        body = json.dumps(enterprise.sign(connection.allocation_fields("ofcbtc", 1))).encode()
        return with_body("POST", path, waiting.token, body)

    return await flood(field.address, request, seconds, _PER_CLIENT, _MOST)


async def _introduce(field: Field, members: Sequence[tuple[str, str]]) -> None:
    """Has each token used once. Until then, the server counts its requests for the address they come from."""
    for enterprise_id, token in members:
        path = f"/api/network/v1/enterprises/{enterprise_id}/partners"
        await exchange(field.address, head("GET", path, token), _INTRODUCTION_SECONDS)


@asynccontextmanager
async def _never_answering() -> AsyncIterator[str]:
    """Takes connections and says nothing, until the block ends."""
    taken: set[asyncio.StreamWriter] = set()
    server = await asyncio.start_server(lambda _, writer: taken.add(writer), "127.0.0.1", 0, backlog=_BACKLOG)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in taken:
            writer.transport.abort()


async def lock_of_a_partner(field: Field) -> Taken:
    """Settlements of one partner, which wait for it."""
    connection, token = field.target.settled, field.target.settler_token
    enterprise = connection.partner.enterprise
    path = f"/api/network/v2/enterprises/{enterprise.id}/partners/settlements"
    await _introduce(field, [(enterprise.id, token)])

    def request(_: int) -> bytes:
        body = json.dumps(enterprise.sign(fields_of({connection.id: {"BTC": "-1"}}))).encode()
        return with_body("POST", path, token, body)

    with psycopg.connect(field.dsn) as holder:
        holder.execute(_HOLD_PARTNER, [connection.partner.id])
        answers = await flood(field.address, request, field.seconds(_SECONDS), _LOCK_WAITERS, _MOST)
        holder.rollback()
    return Taken(answers=answers)


async def locks_of_connections(field: Field) -> Taken:
    """Allocations of several clients, which wait for their connections."""
    waiting = field.target.silent[:_LOCKED_CONNECTIONS]
    await _introduce(field, [(one.connection.client.enterprise.id, one.token) for one in waiting])
    seconds = field.seconds(_SECONDS)
    with psycopg.connect(field.dsn) as holder:
        for one in waiting:
            holder.execute(_HOLD_CONNECTION, [one.connection.id])
        answers: list[Answers] = await asyncio.gather(*(_allocate(field, one, seconds) for one in waiting))
        holder.rollback()
    return Taken(answers=sum(answers, Answers()))


ATTACKS: Final = (
    Attack(
        "silent-partners-7", "7 partners that never answer, 8 allocations at once of a client at each", few_partners
    ),
    Attack("silent-partners-30", "30 partners that never answer, the same", many_partners),
    Attack(
        "lock-of-a-partner", "20 settlements at once that wait for the lock of their partner", lock_of_a_partner
    ),
    Attack(
        "locks-of-5-clients", "8 allocations at once of each of 5 clients that wait for locks", locks_of_connections
    ),
)
