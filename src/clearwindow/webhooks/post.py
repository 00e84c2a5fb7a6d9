"""One HTTP post of a message to an endpoint, with limits on its time, its answer and its address."""

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

from clearwindow.core.clock import Clock
from clearwindow.outbound.addresses import AddressRefusedError, require_callable
from clearwindow.outbound.transport import guarded_session, plain
from clearwindow.webhooks.models import Answer

_WHOLE_BYTES: Final = 1024 * 1024
"""A longer message is sent in chunks, so that other messages are sent in between."""
_READ_BYTES: Final = 64 * 1024
_READ_SECONDS: Final = 1
"""How long to read the answer after its status line. Only the status is awaited longer."""
_SUCCESS: Final = range(200, 300)


class Poster:
    """Posts over connections that stay open between messages. Create and close it in the same event loop.

    ``clock`` gives the times of attempts. ``wall`` is real time, which the dates in answers refer to.
    """

    def __init__(self, clock: Clock, wall: Clock, *, allow_private: bool, timeout_seconds: float) -> None:
        self._clock = clock
        self._wall = wall
        self._allow_private = allow_private
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session = guarded_session(allow_private=allow_private)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts the message. Every failure of the endpoint is an ``Answer``, not an exception."""
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
            # The status decides. The rest of an answer is not needed.
            problem = None if status in _SUCCESS else plain(error)
        took = asyncio.get_running_loop().time() - started
        wait_seconds = retry_after_seconds(retry_after, self._wall.now()) if problem else None
        return Answer(started_at, round(took * 1000), status, problem, wait_seconds)

    async def aclose(self) -> None:
        await self._session.close()


@lru_cache(maxsize=256)
def _require_callable(url: str, *, allow_private: bool) -> None:
    """Checks an address once for the many messages that go to it."""
    require_callable(url, allow_private=allow_private, query=True)


async def _read_a_little(response: aiohttp.ClientResponse) -> None:
    """Reads a short answer to its end, to reuse the connection. A long or slow answer is cut off."""
    if response.content.at_eof():
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_READ_SECONDS):
            await response.content.read(_READ_BYTES)
    if not response.content.at_eof():
        response.close()


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Returns the seconds of a ``Retry-After`` header, which has seconds or a date, or None if it has neither."""
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
