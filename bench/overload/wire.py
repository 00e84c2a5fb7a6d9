"""HTTP as cheap as possible: prepared requests, connections that stay open, and answers of which little is read."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final, cast

from bench.overload.stages import BROKEN, NOT_SENT, OK

CONNECTIONS_OF_PARTNER: Final = 19
"""With fifty partners, a little fewer than the server has open at once."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_STATUS: Final = slice(9, 12)
_LENGTH: Final = b"\r\ncontent-length:"
_RETRY_AFTER: Final = b"\r\nretry-after:"


@dataclass(frozen=True, slots=True)
class Result:
    """The part of an answer that is read."""

    status: int
    reason: str = ""
    retry_after: bool = False


class _Connection(asyncio.Protocol):
    """A connection on which one request at a time is under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._wanted: asyncio.Future[Result] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._answer(Result(0, BROKEN))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(_END_OF_HEAD)
        if not separator:
            return
        lower = bytes(head).lower()
        length = int(lower.partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._received.clear()
        status = int(head[_STATUS])
        reason = "" if status == OK else _reason(rest)
        self._answer(Result(status, reason, _RETRY_AFTER in lower))

    async def ask(self, request: bytes) -> Result:
        if self._transport is None:
            return Result(0, BROKEN)
        self._wanted = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._wanted

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _answer(self, result: Result) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(result)


class Caller:
    """The connections of one partner, which come from an address of its own, as partners' do."""

    def __init__(self, host: str, port: int, source: str) -> None:
        self._address = (host, port)
        self._source = source
        self._idle: list[_Connection] = []
        self._open = 0

    async def ask(self, request: bytes) -> Result:
        """Sends a request over a connection that has none under way. If there is none, a new one is opened."""
        kept = self._idle_one()
        connection = kept or await self._opened()
        if connection is None:
            return Result(0, NOT_SENT)
        result = await connection.ask(request)
        if kept is not None and result.reason == BROKEN:
            # The server ended it while it was idle, at the moment of the request. The same bytes may be sent again.
            self._open -= 1
            return await self.ask(request)
        if connection.is_open:
            self._idle.append(connection)
        else:
            self._open -= 1
        return result

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _idle_one(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            self._open -= 1
        return None

    async def _opened(self) -> _Connection | None:
        if self._open >= CONNECTIONS_OF_PARTNER:
            return None
        self._open += 1
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, *self._address, local_addr=(self._source, 0)
            )
        except OSError:
            self._open -= 1
            return None
        return connection


def _reason(body: bytearray) -> str:
    told = json.loads(bytes(body))
    return str(told.get("details", {}).get("reason", told.get("name")))
