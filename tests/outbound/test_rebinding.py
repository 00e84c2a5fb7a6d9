"""Names whose answers change or mix addresses: only checked addresses are connected to."""

from __future__ import annotations

import asyncio
import socket

import pytest

from clearwindow.outbound import transport
from clearwindow.outbound.addresses import AddressRefusedError, is_public
from clearwindow.outbound.transport import guarded_session

PATIENCE_SECONDS = 60
PUBLIC = "127.0.0.1"
"""Stands for an address of the open internet: a test can listen there."""
REFUSED = "a private range"


class Resolver:
    """Answers each lookup of a name with the next of its answers. It keeps the names that were looked up."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def look_up(self, host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        return [self._entry(address, port) for address in self._answers.pop(0)]

    @staticmethod
    def _entry(address: str, port: int) -> tuple[object, ...]:
        if ":" in address:
            return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
        return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


class Endpoint:
    """Listens where nothing else does, answers every request with 204, and counts its connections."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.connections = 0
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, self._host, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 Heard\r\nConnection: close\r\n\r\n")
        writer.close()


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "is_public", lambda text: text == PUBLIC or is_public(text))


def use(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> Resolver:
    monkeypatch.setattr(socket, "getaddrinfo", resolver.look_up)
    return resolver


async def outcome(url: str) -> int | str:
    """Returns the status of the answer, or why there was no connection."""
    session = guarded_session(allow_private=False)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), session.get(url, allow_redirects=False) as response:
            return response.status
    except AddressRefusedError as error:
        return str(error)
    finally:
        await session.close()


@pytest.mark.usefixtures("loopback_is_public")
def test_name_that_turns_private_is_refused_at_the_next_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        endpoint = Endpoint(PUBLIC)
        async with await endpoint.start():
            resolver = use(monkeypatch, Resolver([PUBLIC], ["10.0.0.1"]))
            url = f"http://exchange.example:{endpoint.port}/"
            session = guarded_session(allow_private=False)
            try:
                async with session.get(url) as response:
                    assert response.status == 204
                # One lookup for one connection: between the check and the connection nobody is asked again.
                assert (resolver.asked, endpoint.connections) == (["exchange.example"], 1)
                with pytest.raises(AddressRefusedError, match=REFUSED):
                    await session.get(url)
            finally:
                await session.close()
            assert (len(resolver.asked), endpoint.connections) == (2, 1)

    asyncio.run(scenario())


MIXED = [
    [PUBLIC, "10.0.0.1"],
    ["10.0.0.1", PUBLIC],
    [PUBLIC, "2606:4700::1111", "fd00::1"],
    ["::ffff:127.0.0.1"],
    ["::ffff:8.8.8.8"],
    ["64:ff9b::7f00:1"],
    ["2002:7f00:1::1"],
    ["192.0.0.192"],
    ["fe80::1%eth0"],
]


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize("answer", MIXED, ids=", ".join)
def test_name_with_any_private_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    async def scenario() -> None:
        endpoint = Endpoint(PUBLIC)
        async with await endpoint.start():
            resolver = use(monkeypatch, Resolver(answer))
            assert REFUSED in str(await outcome(f"http://exchange.example:{endpoint.port}/"))
            assert (len(resolver.asked), endpoint.connections) == (1, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]"])
def test_written_address_is_checked_where_the_socket_is_made(host: str) -> None:
    """The text of an address is checked before; this holds without that check."""

    async def scenario() -> None:
        endpoint = Endpoint(PUBLIC)
        async with await endpoint.start():
            assert REFUSED in str(await outcome(f"http://{host}:{endpoint.port}/"))
            assert endpoint.connections == 0

    asyncio.run(scenario())
