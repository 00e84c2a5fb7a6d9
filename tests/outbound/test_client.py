"""Calls to addresses that others name: where they may go, and how long and how large they may be."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from clearwindow.outgoing.addresses import AddressRefusedError, is_public, require_callable
from clearwindow.outgoing.client import Outgoing
from clearwindow.outgoing.values import NoAnswerError, Request
from tests.support.certificates import self_signed

PATIENCE_SECONDS = 30
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1%eth0",
    "fd00::1",
    "ff0e::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::a00:1",
    "fec0::1",
    "4000::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://exchange.example",
        "ftp://exchange.example",
        "https://",
        "https://user:secret@exchange.example",
        "https://exchange.example/?a=b",
        "https://exchange.example/#there",
        "https://exchange.example:0",
        "https://exchange.example:99999",
        "https://[::1",
        "https://127.0.0.1/api",
        "https://[::ffff:127.0.0.1]/api",
        "https://exchange.example/a b",
        "https://127.1/api",
        "https://2130706433/api",
        "https://0x7f000001/api",
        "https://0177.0.0.1/api",
        "https://127.0.0.1./api",
        "https://%31%32%37.0.0.1/api",
        "https://exchange\\.example/api",
        f"https://{'x' * 64}.example/api",
        "https://exchänge.example",
        f"https://{'x' * 2_000}.example",
    ],
)
def test_what_may_not_be_called_is_told_from_its_text(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        require_callable(url, allow_private=False)


def test_https_anywhere_and_http_only_where_private_addresses_are_allowed() -> None:
    require_callable("https://exchange.example:8443/api", allow_private=False)
    for url in (
        "http://127.0.0.1:8080",
        "http://[fe80::1%25eth0]/",
        "http://3f2a_b.internal./",
        "http://localhost",
    ):
        require_callable(url, allow_private=True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        yield listener


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    outgoing = Outgoing(allow_private=True, timeout_seconds=PATIENCE_SECONDS, lane_width=1)
    yield outgoing
    outgoing.close()


def request(url: str) -> Request:
    return Request("POST", url, {}, b"{}")


def test_a_name_that_stands_for_a_private_address_is_not_connected_to(listener: socket.socket) -> None:
    outgoing = Outgoing(timeout_seconds=5)
    port = listener.getsockname()[1]
    with pytest.raises(NoAnswerError, match="private range"):
        outgoing.send(request(f"https://localhost:{port}/"), lane="a")
    outgoing.close()
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()


def answers_of_dns(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Has each look-up of a name answered by the next of these; gives the names that were looked up."""
    left, asked = iter(answers), list[str]()

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(left)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_one_private_address_spoils_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answers_of_dns(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    outgoing = Outgoing(timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(NoAnswerError, match="private range"):
        outgoing.send(request("https://exchange.example/"), lane="a")
    outgoing.close()


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, outgoing: Outgoing, listener: socket.socket
) -> None:
    asked = answers_of_dns(monkeypatch, ["127.0.0.1"])

    def talk() -> None:
        for _ in range(2):
            with listener.accept()[0] as accepted:
                accepted.recv(1)
                accepted.sendall(b"HTTP/1.1 204 Heard\r\nConnection: close\r\n\r\n")

    url = f"http://exchange.example:{listener.getsockname()[1]}/"
    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(talk)
        assert outgoing.send(request(url), lane="a").status == 204
        # Another connection looks again.
        answers_of_dns(monkeypatch, ["127.0.0.1"])
        assert outgoing.send(request(url), lane="a").status == 204
        talking.result(PATIENCE_SECONDS)
    assert asked == ["exchange.example"]


def test_one_who_never_answers_is_waited_for_that_long(outgoing: Outgoing, listener: socket.socket) -> None:
    url, started = f"http://127.0.0.1:{listener.getsockname()[1]}", time.monotonic()
    with pytest.raises(NoAnswerError, match="no answer within"):
        outgoing.send(request(url), lane="a", timeout_seconds=0.3)
    assert time.monotonic() - started < PATIENCE_SECONDS / 2


def test_an_answer_that_is_too_large_is_not_read_to_its_end(listener: socket.socket) -> None:
    outgoing = Outgoing(allow_private=True, timeout_seconds=30, reply_bytes=1_000)

    def talk() -> None:
        with listener.accept()[0] as accepted, suppress(ConnectionError):
            accepted.recv(1)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(10_000):
                accepted.sendall(b"400\r\n" + b"x" * 0x400 + b"\r\n")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(talk)
        with pytest.raises(NoAnswerError, match="more than 1000 bytes"):
            outgoing.send(request(f"http://127.0.0.1:{listener.getsockname()[1]}"), lane="a")
    outgoing.close()


def test_a_redirect_is_not_followed(outgoing: Outgoing, listener: socket.socket) -> None:
    def point_elsewhere() -> None:
        with listener.accept()[0] as accepted:
            accepted.recv(1)
            accepted.sendall(b"HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(point_elsewhere)
        with pytest.raises(NoAnswerError, match=r"a redirect \(307\), which is not followed"):
            outgoing.send(request(f"http://127.0.0.1:{listener.getsockname()[1]}"), lane="a")


def test_a_port_that_nobody_listens_on(outgoing: Outgoing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswerError, match="no connection"):
        outgoing.send(request(f"http://127.0.0.1:{port}"), lane="a")


def test_a_lane_takes_so_many_and_other_lanes_go_on(outgoing: Outgoing, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outgoing.send, request(url), lane="a")
        with listener.accept()[0] as accepted:
            accepted.recv(1)
            with pytest.raises(NoAnswerError, match="under way"):
                outgoing.send(request(url), lane="a")
            with pytest.raises(NoAnswerError, match="no answer within"):
                outgoing.send(request(url), lane="b", timeout_seconds=0.1)
        with pytest.raises(NoAnswerError, match="ended before"):
            waiting.result(PATIENCE_SECONDS)


def test_the_end_of_the_process_ends_what_is_under_way(listener: socket.socket) -> None:
    outgoing = Outgoing(allow_private=True, timeout_seconds=60)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outgoing.send, request(url), lane="a")
        with listener.accept()[0] as accepted:
            accepted.recv(1)
            outgoing.close()
            with pytest.raises(NoAnswerError, match="ending"):
                waiting.result(PATIENCE_SECONDS)
    with pytest.raises(NoAnswerError, match="ending"):
        outgoing.send(request("http://127.0.0.1:1"), lane="a")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed("exchange.example", tmp_path)


def test_a_certificate_that_is_not_trusted_gets_no_request(certificate: Path, listener: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heard: list[bytes] = []

    def serve() -> None:
        accepted = listener.accept()[0]
        with suppress(OSError), context.wrap_socket(accepted, server_side=True) as secured:
            heard.append(secured.recv(1))
        accepted.close()

    outgoing = Outgoing(allow_private=True, timeout_seconds=5)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve)
        with pytest.raises(NoAnswerError, match="certificate"):
            outgoing.send(request(f"https://localhost:{listener.getsockname()[1]}/"), lane="a")
        outgoing.close()
    assert heard in ([], [b""])
