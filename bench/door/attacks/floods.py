"""Requests as fast as they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bench.door.attacks.attack import Attack, Field
from bench.door.many import flood
from bench.door.outcome import Taken
from bench.door.wire import exchange, head, with_body

_SECONDS: Final = 10.0
_CONNECTIONS: Final = 50
_REQUESTS: Final = 50_000
_GUESSES: Final = 600
_GUESSER: Final = "127.0.0.67"
_NEWCOMER_SECONDS: Final = 20.0
_FILTERS: Final = b'{"no such filter":1}'
_OK: Final = "200"
_BAD_REQUEST: Final = "400"


def _path(field: Field) -> str:
    return f"/api/network/v1/enterprises/{field.target.reader.id}/clients/balances"


async def _flood(field: Field, request: Callable[[int], bytes]) -> Taken:
    seconds, most = field.seconds(_SECONDS), field.count(_REQUESTS)
    return Taken(answers=await flood(field.address, request, seconds, _CONNECTIONS, most))


async def without_token(field: Field) -> Taken:
    request = head("GET", _path(field))
    return await _flood(field, lambda _: request)


async def wrong_tokens(field: Field) -> Taken:
    return await _flood(field, lambda number: head("GET", _path(field), f"a-wrong-token-{number}"))


async def one_token(field: Field) -> Taken:
    request = head("GET", _path(field), field.target.reader_token)
    return await _flood(field, lambda _: request)


async def guesses(field: Field) -> Taken:
    """Guesses until the address has used up its limit. A new token from there must be served all the same."""
    address = replace(field.address, source=_GUESSER)
    taken = Taken()
    new_token = await asyncio.to_thread(field.operator.user_token, field.target.reader.id)
    taken.answers = await flood(
        address,
        lambda number: head("GET", _path(field), f"a-guess-{number}"),
        field.seconds(_SECONDS),
        _CONNECTIONS,
        field.count(_GUESSES),
    )
    newcomer = await exchange(address, head("GET", _path(field), new_token), _NEWCOMER_SECONDS)
    taken.notes.append(f"a new token from the guesser's address got {newcomer.status}")
    if newcomer.status != _OK:
        taken.broken.append("a new token is served")
    return taken


async def upgrades(field: Field) -> Taken:
    """Offers HTTP/2 in clear text. The body must be read all the same: it is wrong, so that 400 shows it was."""
    settings = {
        "Upgrade": "h2c",
        "Connection": "Upgrade, HTTP2-Settings",
        "HTTP2_Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    }
    path = f"/api/network/v1/enterprises/{field.target.reader.id}/clients/settlements"
    request = with_body("GET", path, field.target.reader_token, _FILTERS, **settings)
    taken = await _flood(field, lambda _: request)
    if taken.answers[_OK] or not taken.answers[_BAD_REQUEST]:
        taken.broken.append("a request that offers an upgrade keeps its body")
    return taken


ATTACKS: Final = (
    Attack("flood-without-token", "requests without a token over 50 connections for 10 s", without_token),
    Attack("flood-wrong-tokens", "the same, each with another wrong token", wrong_tokens),
    Attack("flood-one-token", "the same, with one valid token of another enterprise", one_token),
    Attack("guesses", "600 guesses, and then a new token from the same address", guesses),
    Attack("upgrades", "requests with a body that offer Upgrade: h2c over 50 connections for 10 s", upgrades),
)
