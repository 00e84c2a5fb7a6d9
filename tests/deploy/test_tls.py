"""The server on the internet without a proxy, with the settings of its page."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.support.certificates import self_signed, without_key
from tests.support.long import long
from tests.support.processes import START_TOKEN, running
from tests.support.proxies import DEPLOY, HOST, Proxy

FILE = DEPLOY / "tls" / "clearwindow.env"
LONGEST_SECONDS = 90
HALF_A_HANDSHAKE = b"\x16\x03\x01\x02\x00\x01\x00\x01"


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[Proxy]:
    """Serves with the page's settings, of which only address, paths and times are replaced, and with more lines."""
    certificate = self_signed(HOST, folder)
    text = FILE.read_text(encoding="utf-8")
    replaced = {
        "HOST=0.0.0.0": "HOST=127.0.0.1",
        "PORT=443": "PORT=0",
        "/etc/clearwindow/tls/certificate.pem": str(certificate),
        "/etc/clearwindow/tls/key.pem": str(certificate),
        "HANDSHAKE_SECONDS_LIMIT=10": "HANDSHAKE_SECONDS_LIMIT=2",
        "HEAD_SECONDS_LIMIT=10": "HEAD_SECONDS_LIMIT=2",
    }
    for old, new in replaced.items():
        assert old in text, f"the file does not have {old!r} any more"
        text = text.replace(old, new)
    settings = folder / "clearwindow.env"
    settings.write_text("\n".join([text, *more]), encoding="utf-8")
    given = {"config_file": str(settings), "operator_token": START_TOKEN, "data_dir": str(folder / "data")}
    with running(folder / "logs", "serve", **given) as served:
        assert served.url.startswith("https://")
        yield Proxy(urlsplit(served.url).port or 0, certificate)


@long
def test_the_server_of_the_page_answers_over_tls_and_cuts_off_what_stays_half_done(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with server.client(START_TOKEN) as client:
            assert client.get("/api/operator/v1/audit-log").status_code == 200
        for first in (HALF_A_HANDSHAKE, b""):
            with socket.create_connection(("127.0.0.1", server.port), timeout=LONGEST_SECONDS) as connection:
                connection.sendall(first)
                while connection.recv(65_536):
                    pass
        with server.connection() as secured:
            secured.sendall(b"GET /healthz HTTP/1.1\r\nHost: clearwindow.example\r\nx-half: ")
            while secured.recv(65_536):
                pass


@long
def test_callers_need_a_certificate_where_the_pages_line_is_added(tmp_path: Path) -> None:
    mine, other = self_signed("a-member", tmp_path), self_signed("another", tmp_path)
    with serving(tmp_path, f"CLEARWINDOW_TLS_CLIENT_CA={without_key(mine)}") as server:
        assert _is_served(server, mine)
        assert not _is_served(server, None)
        assert not _is_served(server, other)


def _is_served(server: Proxy, certificate: Path | None) -> bool:
    with server.client(START_TOKEN, certificate=certificate) as client:
        try:
            return client.get("/healthz").status_code == 200
        except (httpx2.TransportError, ssl.SSLError):
            return False
