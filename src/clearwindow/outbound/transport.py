"""One request and its reply, in the loop of the client; the only place that knows the HTTP library."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from clearwindow.outgoing.addresses import AddressRefusedError, is_public
from clearwindow.outgoing.values import NoAnswerError, Reply, Request

_CHUNK_BYTES: Final = 16 * 1024
_REDIRECT: Final = range(300, 400)


class Exchange:
    """Connections that are kept open, and what is asked over them."""

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
            # As it was written, and not tidied up: its path may be signed.
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
    """A session that connects to the very addresses that it has looked at. To be made and closed in one loop."""
    resolver = _GuardedResolver(allow_private=allow_private)
    # What we resolved is what we connect to: nothing is kept for later but connections that are open.
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0)
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    )


class _GuardedResolver(AbstractResolver):
    """Gives only addresses that may be called; one that may not spoils the name, whatever else it stands for."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if not self._allow_private and not all(map(is_public, addresses)):
            raise AddressRefusedError("stands for one in a private range, which the settings do not allow")
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
        """Nothing is held open."""


def plain(error: Exception) -> str:
    """What went wrong in a few words of ours: a library's own may quote what was sent or answered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not one that is trusted for this name"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address is not one that can be called"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection to it can be made"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return "the connection ended before the answer did"
    return f"what came is not an HTTP answer ({type(error).__name__})"
