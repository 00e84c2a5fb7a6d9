"""Posting one message to an endpoint: bounded in time and in what is read, and never to where it must not go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from io import BytesIO
from typing import Final

import aiohttp

from clearwindow.clock import Clock
from clearwindow.notices.webhooks import Answer
from clearwindow.outgoing.addresses import AddressRefusedError, require_callable
from clearwindow.outgoing.exchange import guarded_session, plain

_WHOLE_BYTES: Final = 1024 * 1024
"""A longer message is sent in pieces, so that others get their turn in between."""
_READ_BYTES: Final = 64 * 1024
_READ_SECONDS: Final = 1
"""Of what comes after the status, which is all that is waited for longer."""
_SUCCESS: Final = range(200, 300)


class Poster:
    """Posts over connections that are kept open from one message to the next. Made and closed in one loop.

    ``clock`` tells when attempts were made; ``wall`` is the world's time, in which endpoints name dates.
    """

    def __init__(self, clock: Clock, wall: Clock, *, allow_private: bool, timeout_seconds: float) -> None:
        self._clock = clock
        self._wall = wall
        self._allow_private = allow_private
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session = guarded_session(allow_private=allow_private)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What the endpoint made of the message; whatever it does is an answer."""
        started_at, started = self._clock.now(), asyncio.get_running_loop().time()
        status: int | None = None
        retry_after: str | None = None
        try:
            _require_callable(url, allow_private=self._allow_private)
            async with self._session.post(
                url,
                data=body if len(body) <= _WHOLE_BYTES else BytesIO(body),
                headers={"Content-Type": "application/json", **headers},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
                await _read_a_little(response)
            problem = None if status in _SUCCESS else f"it answered {status}"
        except AddressRefusedError as error:
            problem = f"its address {error}"
        except TimeoutError:
            problem = f"no answer within {self._timeout.total:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # What was said first counts: the rest of an answer is of no use to us.
            problem = None if status in _SUCCESS else plain(error)
        took = asyncio.get_running_loop().time() - started
        wait_seconds = retry_after_seconds(retry_after, self._wall.now()) if problem else None
        return Answer(started_at, round(took * 1000), status, problem, wait_seconds)

    async def aclose(self) -> None:
        await self._session.close()


@lru_cache(maxsize=256)
def _require_callable(url: str, *, allow_private: bool) -> None:
    """Looks at an address once for all the messages that go there one after the other."""
    require_callable(url, allow_private=allow_private, query=True)


async def _read_a_little(response: aiohttp.ClientResponse) -> None:
    """Empties a short answer, so that its connection serves again; one that is long, or slow, is cut off."""
    if response.content.at_eof():
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_READ_SECONDS):
            await response.content.read(_READ_BYTES)
    if not response.content.at_eof():
        response.close()


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The wait that a ``Retry-After`` asks for, in seconds or as a date; None where it asks for none."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
