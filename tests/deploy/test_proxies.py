"""The proxies of the how-to guides, with their whole configurations, in front of a real server."""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from clearwindow.console.rules import COOKIE, SECURE_COOKIE
from tests.console.browsing import Visitor
from tests.support.certificates import self_signed, without_key
from tests.support.networks import ConnectionHandle, Network, ok
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, serving_folder
from tests.support.proxies import HOST, KINDS, Proxy, proxy
from tests.support.settlements import fields_of

ALLOWED = "127.0.0.9"
LONGEST_SECONDS = 90
FUNDS = {"ofcbtc": 10_000}
NO_CONTENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
UPGRADE = {
    "Upgrade": "h2c",
    "Connection": "Upgrade, HTTP2-Settings",
    "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
}


@dataclass(frozen=True)
class Site:
    """A server behind a proxy, and a network on it."""

    proxy: Proxy
    connection: ConnectionHandle
    token: str
    confined_token: str
    """A token that works only from ``ALLOWED``."""

    @property
    def partner_path(self) -> str:
        return f"/api/network/v1/enterprises/{self.connection.partner.enterprise.id}/partners"

    @property
    def settlements_path(self) -> str:
        return f"{self.partner_path.replace('/v1/', '/v2/')}/settlements"

    def client(self) -> httpx2.Client:
        return self.proxy.client(self.token)

    def stage(self) -> httpx2.Response:
        signed = self.connection.partner.enterprise.sign(fields_of({self.connection.id: {"BTC": "-1"}}))
        with self.client() as client:
            return client.post(self.settlements_path, json=signed)


@dataclass(frozen=True)
class Served:
    """The server, and its network."""

    port: int
    operators_session: str
    """The cookie's value of an operator who has signed in to the console inside."""
    connection: ConnectionHandle
    token: str
    confined_token: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with (
        serving_folder(folder / "data", trusted_proxies="127.0.0.1") as server,
        OperatorClient(server.url, START_TOKEN) as operator,
        Network(operator) as network,
    ):
        connection = network.funded(network.partner(), FUNDS)
        name = connection.partner.enterprise.id
        confined = operator.user_token(name, ipAllowList=[ALLOWED])
        with Visitor(server.url) as inside:
            inside.sign_in(START_TOKEN)
            session = inside.http.cookies[COOKIE]
        yield Served(urlsplit(server.url).port or 0, session, connection, operator.user_token(name), confined)


@pytest.fixture(scope="module", params=KINDS)
def site(
    request: pytest.FixtureRequest, served: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with proxy(request.param, served.port, tmp_path_factory.mktemp(request.param)) as front:
        yield Site(front, served.connection, served.token, served.confined_token)


def test_signed_settlement_and_filters_in_a_body_go_through(site: Site) -> None:
    staged = [ok(site.stage())["settlement"]["id"] for _ in range(2)]
    with site.client() as client:
        listed = client.request("GET", f"{site.partner_path}/settlements", json={"settlementIds": staged[:1]})
    assert [settlement["id"] for settlement in ok(listed)["settlements"]] == staged[:1]
    assert listed.headers["X-Request-Id"]


def test_the_clients_address_arrives_and_an_invented_one_does_not(site: Site) -> None:
    with site.proxy.client(site.confined_token, source=ALLOWED) as allowed:
        ok(allowed.get(f"{site.partner_path}/balances"))
    invented = {"X-Forwarded-For": ALLOWED, "Forwarded": f"for={ALLOWED}"}
    with site.proxy.client(site.confined_token, headers=invented) as other:
        assert other.get(f"{site.partner_path}/balances").status_code == 401


def test_only_settlements_have_large_bodies(site: Site) -> None:
    large = b'{"externalId":"' + b"x" * 1_000_000 + b'"}'
    typed = {"Content-Type": "application/json"}
    with site.client() as client:
        staged = client.post(site.settlements_path, content=large, headers=typed)
        signing = client.request("GET", f"{site.partner_path}/settlements-signing", content=large, headers=typed)
        other = client.request("GET", f"{site.partner_path}/balances", content=large, headers=typed)
    for answer in (staged, signing):
        assert (answer.status_code, bool(answer.headers["X-Request-Id"])) == (400, True), "the server read it"
    assert (other.status_code, other.json()["name"]) == (413, "body_too_large")
    assert "X-Request-Id" not in other.headers, "the proxy answers, not the server"


@pytest.mark.parametrize("path", ["/api/operator/v1/operators", "/metrics", "/readyz", "/", "/api/other"])
def test_what_is_not_for_the_internet_is_not_there(site: Site, path: str) -> None:
    with site.proxy.client(START_TOKEN) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["name"]) == (404, "no_such_path")
    assert "X-Request-Id" not in answer.headers, "the proxy answers, not the server"


def test_members_use_the_console_and_operators_do_not(site: Site, served: Served) -> None:
    """The caller names the port, as browsers do, and says nothing of the way: the proxy does."""
    host = f"{HOST}:{site.proxy.port}"
    headers = {"Host": host, "Origin": f"https://{host}", "Sec-Fetch-Site": "same-origin"}
    with site.proxy.client("none", headers=headers) as browser:
        del browser.headers["Authorization"]
        refused = browser.post("/console/sign-in", data={"token": START_TOKEN})
        let_in = browser.post("/console/sign-in", data={"token": site.token})
        cookie = let_in.headers["Set-Cookie"].partition(";")[0]
        page = browser.get("/console", headers={"Cookie": cookie})
        form = re.search(r'name="form" value="([^"]+)"', page.text)
        large = {"file": ("day.csv", b"connection,currency,amount\n" + b"x" * 1_000_000)}
        sent = browser.post(
            "/console/exchange/new", data={"form": form[1] if form else ""}, files=large, headers={"Cookie": cookie}
        )
        larger = browser.post("/console/exchange/new", files={"file": ("day.csv", b"x" * 3_000_000)})
        of_operator = browser.get("/console", headers={"Cookie": f"{SECURE_COOKIE}={served.operators_session}"})
        by_link = browser.post("/console/links", headers={"Authorization": f"Bearer {START_TOKEN}"})
        also = browser.get("/consoles")
    assert (refused.status_code, "console_for_members" in refused.text) == (403, True)
    assert "Set-Cookie" not in refused.headers
    assert (let_in.status_code, cookie.partition("=")[0]) == (303, SECURE_COOKIE)
    assert (page.status_code, "Today" in page.text) == (200, True)
    assert (sent.status_code, "file: line 2" in sent.text) == (400, True), "the server read the file"
    assert (larger.status_code, larger.json()["name"]) == (413, "body_too_large")
    assert (of_operator.status_code, "console_for_members" in of_operator.text) == (403, True)
    assert (by_link.status_code, by_link.json()["name"]) == (403, "console_for_members")
    assert also.status_code == 404


def test_http2_is_offered(site: Site) -> None:
    with site.proxy.connection("h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_slow_head_is_cut_off(site: Site) -> None:
    with site.proxy.connection() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: clearwindow.example\r\nx-half: ")
        # An answer may come first. The connection ends long before the test gives up on it.
        while connection.recv(65_536):
            pass


def test_endless_head_is_cut_off(site: Site) -> None:
    give_up_at = time.monotonic() + LONGEST_SECONDS
    with site.proxy.connection() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: clearwindow.example\r\nx-endless: ")
        while _takes_more(connection):
            assert time.monotonic() < give_up_at
            # A proxy may drop what comes after its answer for a while. That must not keep this machine busy.
            time.sleep(0.01)


def _takes_more(connection: ssl.SSLSocket) -> bool:
    try:
        connection.sendall(b"a" * 4_096)
    except OSError:
        return False
    return True


def test_half_a_tls_handshake_is_cut_off(site: Site) -> None:
    # The beginning of a ClientHello of 512 bytes.
    with socket.create_connection(("127.0.0.1", site.proxy.port), timeout=LONGEST_SECONDS) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        while connection.recv(65_536):
            pass


@pytest.mark.parametrize("name", KINDS)
def test_callers_need_a_certificate_where_the_pages_lines_are_added(name: str, tmp_path: Path) -> None:
    mine, other = self_signed("a-member", tmp_path), self_signed("another", tmp_path)
    with (
        upstream(NO_CONTENT) as (port, _),
        proxy(name, port, tmp_path / "proxy", clients=without_key(mine)) as front,
    ):
        assert _is_served(front, mine)
        assert not _is_served(front, None)
        assert not _is_served(front, other)


def _is_served(front: Proxy, certificate: Path | None) -> bool:
    with front.client("a-token", certificate=certificate) as client:
        try:
            return client.get("/healthz").status_code == 204
        except httpx2.TransportError:
            return False


@pytest.mark.parametrize("name", KINDS)
def test_what_the_caller_says_of_its_way_is_not_handed_on(name: str, tmp_path: Path) -> None:
    said = {**UPGRADE, "X-Forwarded-For": ALLOWED, "X-Forwarded-Proto": "gopher", "Forwarded": f"for={ALLOWED}"}
    with upstream(NO_CONTENT) as (port, heads), proxy(name, port, tmp_path / "proxy") as front:
        with front.client("a-token", headers=said) as client:
            answer = client.request("GET", "/api/network/v1/enterprises/any/partners", json={"pageSize": 1})
        assert answer.status_code == 204
    (head,) = heads
    sent = head.decode().lower().split("\r\n")[1:]
    assert [line for line in sent if line.startswith("x-forwarded-for:")] == ["x-forwarded-for: 127.0.0.1"]
    assert not [line for line in sent if line.startswith(("upgrade:", "http2-settings:", "forwarded:"))]
    assert not [line for line in sent if "gopher" in line]


@pytest.mark.parametrize("name", KINDS)
def test_a_request_whose_server_breaks_off_is_not_sent_again(name: str, tmp_path: Path) -> None:
    with upstream(b"") as (port, heads), proxy(name, port, tmp_path / "proxy") as front:
        with front.client("a-token") as client:
            answer = client.post("/api/network/v1/enterprises/any/clients", json={"name": "once"})
        assert (answer.status_code, answer.json()["name"]) == (503, "unavailable")
        assert [head.split(b" ")[0] for head in heads] == [b"POST"]


@contextmanager
def upstream(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answers the first request of each connection with these bytes, and ends it. Gives the port and the heads."""
    heads: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) != b"\r\n":
                if not line:
                    return
                head += line
            length = re.search(rb"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
            self.rfile.read(int(length[1]) if length else 0)
            heads.append(head)
            self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1], heads
        finally:
            server.shutdown()
