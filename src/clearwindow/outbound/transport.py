"""One request and its reply, in the client's event loop, with aiohttp."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from clearwindow.outbound.addresses import AddressRefusedError, is_public
from clearwindow.outbound.models import NoAnswerError, Reply, Request

_CHUNK_BYTES: Final = 16 * 1024
_HEADER_LINE_BYTES: Final = 64 * 1024
"""Proxies and frameworks send long headers; the answer is read for the little that we want of it."""
_REDIRECT: Final = range(300, 400)
_LEADS_TO_PRIVATE: Final = "resolves to a private range, which the settings do not allow"


class Exchange:
    """Open connections, and the requests over them."""

    def __init__(self, *, allow_private: bool, reply_bytes: int) -> None:
        self._reply_bytes = reply_bytes
        self._session = guarded_session(allow_private=allow_private)

    async def send(self, request: Request, seconds: float) -> Reply:
        try:
            return await self._ask(request, seconds)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {seconds:.1f} seconds") from None
        except AddressRefusedError as error:
            raise NoAnswerError(f"the address {error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError(plain(error)) from None

    async def close(self) -> None:
        await self._session.close()

    async def _ask(self, request: Request, seconds: float) -> Reply:
        async with self._session.request(
            request.method,
            # Exactly as written, not normalized: its path may be signed.
            URL(request.url, encoded=True),
            data=request.body,
            headers={"Accept-Encoding": "identity", **request.headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            if response.status in _REDIRECT:
                raise NoAnswerError(f"a redirect ({response.status}), which is not followed")
            return Reply(
                response.status,
                await self._bounded(response),
                response.headers.get("Retry-After"),
                response.headers.get("Content-Type", ""),
            )

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._reply_bytes:
                response.close()
                raise NoAnswerError(f"an answer of more than {self._reply_bytes} bytes")
        return body


def guarded_session(*, allow_private: bool) -> aiohttp.ClientSession:
    """Returns a session that connects to exactly the addresses that it has checked.

    Create and close it in the same event loop.
    """
    resolver = _GuardedResolver(allow_private=allow_private)
    # Each new connection resolves and checks its name again. The library resolves no address that is written as
    # such; this and whatever else leads to a connection is checked where the socket is made.
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        use_dns_cache=False,
        limit=0,
        socket_factory=None if allow_private else _socket_to_public_address,
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=_HEADER_LINE_BYTES,
        max_field_size=_HEADER_LINE_BYTES,
    )


def _socket_to_public_address(target: aiohttp.AddrInfoType) -> socket.socket:
    """Makes the socket for one connection.

    Raises:
        AddressRefusedError: the address that it is for may not be called.
    """
    family, kind, protocol, _, address = target
    if not is_public(str(address[0])):
        raise AddressRefusedError(_LEADS_TO_PRIVATE)
    return socket.socket(family, kind, protocol)


class _GuardedResolver(AbstractResolver):
    """Returns only addresses that may be called. A name with any private address is refused."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if not self._allow_private and not all(map(is_public, addresses)):
            raise AddressRefusedError(_LEADS_TO_PRIVATE)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address, (kind, _, protocol, *_) in zip(addresses, found, strict=True)
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def plain(error: Exception) -> str:
    """Returns the error in our own words: the library's message may quote what was sent or answered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not trusted for this name"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address cannot be called"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection to it can be made"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return "the connection ended before the answer was complete"
    return f"the answer is not HTTP ({type(error).__name__})"
