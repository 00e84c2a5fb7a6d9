"""TLS of the server itself: its versions, certificates that callers need, and calls that never finish TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from clearwindow.runtime import ServerLimits
from clearwindow.web.server import Terms
from clearwindow.web.tls import TlsError, TlsFiles, tls_context
from tests.support.asgi import listening
from tests.support.certificates import self_signed
from tests.support.raw_http import connected, read_answer, read_to_end

HOST = "server.example"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def tell_scheme(scope: Scope, _receive: Receive, send: Send) -> None:
    text = str(scope["scheme"]).encode()
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
def server_file(tmp_path: Path) -> Path:
    return self_signed(HOST, tmp_path)


def trusting(server_file: Path, client_file: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server_file)
    if client_file is not None:
        context.load_cert_chain(client_file)
    return context


@contextmanager
def connected_by_tls(url: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    address = urlsplit(url)
    with (
        socket.create_connection((address.hostname or "", address.port or 0), 60) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        yield connection


def is_served(url: str, context: ssl.SSLContext) -> bool:
    try:
        with connected_by_tls(url, context) as connection:
            # With TLS 1.3 a caller without a certificate learns of it only now.
            connection.sendall(GET)
            return read_answer(connection).status == HTTPStatus.OK
    except OSError:
        return False


def test_server_with_a_certificate_speaks_tls_1_2_and_newer(server_file: Path) -> None:
    with listening(tell_scheme, Terms(tls=TlsFiles(server_file, server_file))) as url:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(server_file)
            context.minimum_version = context.maximum_version = version
            with connected_by_tls(url, context) as connection:
                connection.sendall(GET)
                assert read_answer(connection).body == b"https"
        with connected(url) as plain:
            plain.sendall(GET)
            assert b"200 OK" not in read_to_end(plain)
    assert tls_context(TlsFiles(server_file, server_file)).minimum_version is ssl.TLSVersion.TLSv1_2


def test_limits_hold_over_tls(server_file: Path) -> None:
    terms = Terms(ServerLimits(request_line_bytes=100), tls=TlsFiles(server_file, server_file))
    with listening(tell_scheme, terms) as url, connected_by_tls(url, trusting(server_file)) as connection:
        connection.sendall(b"GET /" + b"a" * 100)
        assert read_answer(connection).problem["name"] == "head_too_large"
        assert connection.recv(1) == b""


def test_callers_need_a_certificate_of_the_authority(server_file: Path, tmp_path: Path) -> None:
    known, stranger = self_signed("client.example", tmp_path), self_signed("stranger.example", tmp_path)
    terms = Terms(tls=TlsFiles(server_file, server_file, client_ca=known))
    with listening(tell_scheme, terms) as url:
        assert is_served(url, trusting(server_file, known))
        for context in (trusting(server_file), trusting(server_file, stranger)):
            assert not is_served(url, context)


def test_tls_that_is_not_finished_is_closed_and_gives_its_place_away(server_file: Path) -> None:
    files = TlsFiles(server_file, server_file)
    with (
        listening(tell_scheme, Terms(ServerLimits(tls_handshake_seconds=0.3), tls=files)) as url,
        connected(url) as silent,
    ):
        assert read_to_end(silent) == b""
    with (
        listening(tell_scheme, Terms(ServerLimits(connections_per_address=1), tls=files)) as url,
        connected(url) as silent,
        connected_by_tls(url, trusting(server_file)) as connection,
    ):
        assert read_to_end(silent) == b""
        connection.sendall(GET)
        assert read_answer(connection).status == 200


def test_wrong_file_is_named(server_file: Path, tmp_path: Path) -> None:
    other, empty = self_signed("other.example", tmp_path), tmp_path / "empty.pem"
    empty.write_text("")
    for files, problem in (
        (TlsFiles(tmp_path / "none.pem", server_file), "cannot be read: no such file or directory"),
        (TlsFiles(empty, server_file), "cannot be used"),
        (TlsFiles(server_file, other), "cannot be used: key values mismatch"),
        (TlsFiles(server_file, server_file, empty), f"The authorities in {empty} cannot be used"),
    ):
        with pytest.raises(TlsError) as refused:
            tls_context(files)
        assert problem in str(refused.value)
