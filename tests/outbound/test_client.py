"""The outgoing HTTP client: permitted addresses, time limits, size limits and lanes."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from clearwindow.outbound.addresses import AddressRefusedError, is_public, require_callable
from clearwindow.outbound.client import Outgoing
from clearwindow.outbound.models import NoAnswerError, Request
from tests.support.certificates import self_signed
from tests.support.ports import reserved_port

PATIENCE_SECONDS = 60
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
    "192.0.0.192",
    "192.88.99.1",
    "192.31.196.1",
    "3fff::1",
    "5f00::1",
    "2001:20::1",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
    "2001:0:808:808::1",
    "64:ff9b::c058:6301",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_or_unused_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_internet_address_is_public(address: str) -> None:
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
def test_unacceptable_address_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        require_callable(url, allow_private=False)


def test_http_is_accepted_only_if_private_addresses_are_allowed() -> None:
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
    """Accepts connections and never answers."""
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


def test_name_of_a_private_address_is_not_connected_to(listener: socket.socket) -> None:
    outgoing = Outgoing(timeout_seconds=PATIENCE_SECONDS)
    port = listener.getsockname()[1]
    with pytest.raises(NoAnswerError, match="private range"):
        outgoing.send(request(f"https://localhost:{port}/"), lane="a")
    outgoing.close()
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()


def answers_of_dns(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answers each name lookup with the next of these. Returns the names that were looked up."""
    left, asked = iter(answers), list[str]()

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(left)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers_of_dns(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    outgoing = Outgoing(timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(NoAnswerError, match="private range"):
        outgoing.send(request("https://exchange.example/"), lane="a")
    outgoing.close()


def test_connection_goes_to_the_checked_address(
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
        # A new connection looks the name up again.
        answers_of_dns(monkeypatch, ["127.0.0.1"])
        assert outgoing.send(request(url), lane="a").status == 204
        talking.result(PATIENCE_SECONDS)
    assert asked == ["exchange.example"]


def test_silent_endpoint_times_out(outgoing: Outgoing, listener: socket.socket) -> None:
    url, started = f"http://127.0.0.1:{listener.getsockname()[1]}", time.monotonic()
    with pytest.raises(NoAnswerError, match="no answer within"):
        outgoing.send(request(url), lane="a", timeout_seconds=0.3)
    assert time.monotonic() - started < PATIENCE_SECONDS / 2


def test_too_large_answer_is_not_read_to_its_end(listener: socket.socket) -> None:
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


def test_redirect_is_not_followed(outgoing: Outgoing, listener: socket.socket) -> None:
    def point_elsewhere() -> None:
        with listener.accept()[0] as accepted:
            accepted.recv(1)
            accepted.sendall(b"HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(point_elsewhere)
        with pytest.raises(NoAnswerError, match=r"a redirect \(307\), which is not followed"):
            outgoing.send(request(f"http://127.0.0.1:{listener.getsockname()[1]}"), lane="a")


def test_closed_port_is_no_answer(outgoing: Outgoing) -> None:
    with pytest.raises(NoAnswerError, match="no connection"):
        outgoing.send(request(f"http://127.0.0.1:{reserved_port()}"), lane="a")


def test_full_lane_refuses_and_other_lanes_continue(outgoing: Outgoing, listener: socket.socket) -> None:
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


def test_close_ends_requests_under_way(listener: socket.socket) -> None:
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


def test_endpoint_with_an_untrusted_certificate_gets_no_request(certificate: Path, listener: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received: list[bytes] = []

    def serve() -> None:
        accepted = listener.accept()[0]
        with suppress(OSError), context.wrap_socket(accepted, server_side=True) as secured:
            received.append(secured.recv(1))
        accepted.close()

    outgoing = Outgoing(allow_private=True, timeout_seconds=PATIENCE_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve)
        with pytest.raises(NoAnswerError, match="certificate"):
            outgoing.send(request(f"https://localhost:{listener.getsockname()[1]}/"), lane="a")
        outgoing.close()
    assert received in ([], [b""])


@pytest.mark.parametrize("name", ["Link", "X-Debug"])
def test_answer_with_a_header_line_of_64_kb_is_read(outgoing: Outgoing, listener: socket.socket, name: str) -> None:
    value = b"x" * (64 * 1024 - len(name) - 4)

    def talk() -> None:
        with listener.accept()[0] as accepted:
            accepted.recv(65536)
            header = name.encode() + b": " + value
            accepted.sendall(b"HTTP/1.1 200 OK\r\n" + header + b"\r\nContent-Length: 2\r\n\r\n{}")

    with ThreadPoolExecutor() as pool:
        pool.submit(talk)
        reply = outgoing.send(request(f"http://127.0.0.1:{listener.getsockname()[1]}"), lane="a")
    assert (reply.status, reply.body) == (200, b"{}")
