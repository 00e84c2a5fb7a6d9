"""What strangers can send to the server before the application is reached. Protocol §2."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.types import Receive, Scope, Send

from clearwindow.runtime import ServerLimits
from clearwindow.web.server import Terms
from tests.conftest import OPERATOR_TOKEN
from tests.support.asgi import listening
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.raw_http import ask, connected, read_answer, read_to_end, send_until_cut_off

WAIT_SECONDS = 60
MIB = 2**20
# More than the buffers of both ends hold.
CUT_OFF_BYTES = 64 * MIB
GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE_ANSWER_PIECES = 64


class Application:
    """Answers with the number of bytes in the body; ``/ignore`` without reading it, ``/wait`` when told to."""

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.large_sent = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/large":
            await self._send_large(send)
            return
        if path.endswith("/wait"):
            self.waiting.release()
            await asyncio.to_thread(self.go_on.wait, WAIT_SECONDS)
        size, more = 0, path != "/ignore"
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        text = f"{path} {size}".encode()
        await send(_start(len(text)))
        await send({"type": "http.response.body", "body": text})

    async def _send_large(self, send: Send) -> None:
        await send(_start(LARGE_ANSWER_PIECES * MIB))
        for number in range(LARGE_ANSWER_PIECES):
            more = number < LARGE_ANSWER_PIECES - 1
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": more})
        self.large_sent.set()


def _start(length: int) -> dict[str, object]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]}


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.go_on.set()


@pytest.fixture
def url(application: Application) -> Iterator[str]:
    limits = ServerLimits(request_line_bytes=100, head_bytes=1_000, headers=10, chunks_per_body=20)
    with listening(application, Terms(limits)) as url:
        yield url


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100,
        b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10 + b"\r\n",
    ],
    ids=["endless line", "long line", "endless header", "large header", "endless headers", "many headers"],
)
def test_too_large_head_is_431(url: str, head: bytes) -> None:
    refused = ask(url, head)
    assert (refused.status, refused.problem["name"], refused.rest) == (431, "head_too_large", b"")
    assert refused.problem["requestId"] == refused.headers["x-request-id"]
    assert refused.problem["documentation"] == "/docs/errors#head_too_large"
    assert refused.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n" * 10_000),
        (b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", b"a" * 65536),
        (
            b"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"8000\r\n" + b"a" * 32768 + b"\r\n",
        ),
        (CHUNKED + b"1;", b"a" * 65536),
        (CHUNKED + b"0\r\n", b"A: b\r\n" * 10_000),
        (CHUNKED, b"1\r\na\r\n" * 10_000),
    ],
    ids=["line", "header", "headers", "ignored body", "ignored chunks", "chunk's head", "trailers", "chunks"],
)
def test_endless_sender_is_cut_off(url: str, begin: bytes, piece: bytes) -> None:
    with connected(url) as connection:
        connection.sendall(begin)
        assert send_until_cut_off(connection, piece, CUT_OFF_BYTES)
    assert ask(url, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).status == 200


def test_endless_sender_reads_the_answer_before_it_is_cut_off(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(
            b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n" + b"a" * 65536
        )
        assert read_answer(connection).body == b"/ignore 0"
    with connected(url) as connection:
        connection.sendall(b"GET /" + b"a" * 65536)
        assert read_answer(connection).status == 431


def test_body_in_too_many_chunks_is_413(url: str) -> None:
    refused = ask(url, CHUNKED + b"1\r\na\r\n" * 21)
    assert (refused.status, refused.problem["name"]) == (413, "body_in_too_many_chunks")
    taken = ask(url, CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + b"1\r\na\r\n" * 20 + b"0\r\n\r\n")
    assert (taken.status, taken.body) == (200, b"/read 20")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["empty line", "words", "no host", "no colon", "length", "chunk", "TLS"],
)
def test_malformed_request_is_400(url: str, request_bytes: bytes) -> None:
    refused = ask(url, request_bytes)
    assert (refused.status, refused.problem["name"]) == (400, "request_malformed")
    assert refused.problem["requestId"] == refused.headers["x-request-id"]


def test_slow_head_is_408_and_silent_connection_is_closed(application: Application) -> None:
    with listening(application, Terms(ServerLimits(head_seconds=0.3))) as url:
        with connected(url) as silent, connected(url) as half:
            half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
            assert read_to_end(silent) == b""
            assert b"408 Request Timeout" in read_to_end(half)
        # The second request of a connection has its own time.
        with connected(url) as connection:
            connection.sendall(GET)
            assert read_answer(connection).status == 200
            connection.sendall(b"GET /")
            assert b'"name": "head_too_slow"' in read_to_end(connection)


def test_idle_connection_is_closed(application: Application) -> None:
    with listening(application, Terms(ServerLimits(idle_seconds=0.3))) as url, connected(url) as connection:
        connection.sendall(GET)
        assert read_answer(connection).status == 200
        assert read_to_end(connection) == b""


def test_body_that_stops_after_the_answer_is_cut_off(application: Application) -> None:
    with listening(application, Terms(ServerLimits(head_seconds=0.3))) as url, connected(url) as connection:
        connection.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        assert read_answer(connection).body == b"/ignore 0"
        assert read_to_end(connection) == b""


def test_short_body_is_thrown_away_and_the_connection_goes_on(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        assert read_answer(connection).body == b"/ignore 0"
        connection.sendall(b"0123456789" + GET)
        assert read_answer(connection).body == b"/x 0"


def test_caller_that_does_not_read_its_answer_is_cut_off(application: Application) -> None:
    with listening(application, Terms(ServerLimits(answer_seconds=0.3))) as url, connected(url) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.large_sent.wait(WAIT_SECONDS)
        assert len(read_to_end(connection)) < LARGE_ANSWER_PIECES * MIB


@pytest.mark.parametrize("cut_at", [1, 30, 62, 63, 64, 70, 80, 100, 130])
def test_requests_that_arrive_together_are_answered_in_order(url: str, cut_at: int) -> None:
    together = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
        b"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    with connected(url) as connection:
        connection.sendall(together[:cut_at])
        connection.sendall(together[cut_at:])
        received = read_to_end(connection)
    assert [text in received for text in (b"/a 3", b"/b 2", b"/c 0")] == [True] * 3
    assert received.index(b"/a 3") < received.index(b"/b 2") < received.index(b"/c 0")


def test_large_body_in_large_chunks_is_read_whole(url: str) -> None:
    chunk = b"%x\r\n" % MIB + b"a" * MIB + b"\r\n"
    with connected(url) as connection:
        connection.sendall(CHUNKED + chunk * 5 + b"0\r\n\r\n")
        assert read_answer(connection).body == b"/read %d" % (5 * MIB)


def test_address_in_its_absolute_form_is_understood(url: str) -> None:
    answer = ask(url, b"GET http://other.example/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"/x 0")


def test_unused_connections_of_an_address_keep_nobody_out(application: Application) -> None:
    limits = ServerLimits(connections_per_address=2, head_seconds=WAIT_SECONDS)
    with listening(application, Terms(limits)) as url, ExitStack() as stack:
        first, *_ = [stack.enter_context(connected(url)) for _ in range(5)]
        assert read_to_end(first) == b""
        newest = stack.enter_context(connected(url))
        newest.sendall(GET)
        assert read_answer(newest).status == 200


@pytest.mark.parametrize(
    ("limits", "status", "name"),
    [
        (ServerLimits(connections_per_address=2), 429, "too_many_connections_open"),
        (ServerLimits(connections=2), 503, "unavailable"),
    ],
    ids=["of an address", "in all"],
)
def test_connection_beside_busy_ones_is_refused(
    application: Application, limits: ServerLimits, status: int, name: str
) -> None:
    with listening(application, Terms(limits)) as url, connected(url) as one, connected(url) as two:
        for connection in (one, two):
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            assert application.waiting.acquire(timeout=WAIT_SECONDS)
        refused = ask(url, b"")
        assert (refused.status, refused.problem["name"], refused.headers["retry-after"]) == (status, name, "1")
        application.go_on.set()
        assert [read_answer(connection).status for connection in (one, two)] == [200, 200]
        # Both wait now, and one of them is closed for the new one.
        with connected(url) as three:
            three.sendall(GET)
            assert read_answer(three).status == 200


def test_proxy_may_open_more_connections_than_an_address(application: Application) -> None:
    terms = Terms(ServerLimits(connections_per_address=1), trusted_proxies="127.0.0.0/8")
    with listening(application, terms) as url, connected(url) as one, connected(url) as two:
        for connection in (one, two):
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
            assert application.waiting.acquire(timeout=WAIT_SECONDS)
        application.go_on.set()
        assert [read_answer(connection).status for connection in (one, two)] == [200, 200]


def test_request_beyond_those_at_once_is_503_and_health_is_not(application: Application) -> None:
    with listening(application, Terms(ServerLimits(requests_at_once=1))) as url, connected(url) as busy:
        busy.sendall(b"GET /api/wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.waiting.acquire(timeout=WAIT_SECONDS)
        refused = ask(url, b"GET /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (refused.status, refused.problem["name"]) == (503, "unavailable")
        assert refused.problem["details"] == {"reason": "server_busy"}
        assert refused.problem["requestId"] == refused.headers["x-request-id"]
        assert ask(url, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").status == 200
        application.go_on.set()
        assert read_answer(busy).status == 200
        assert ask(url, b"GET /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").status == 200


def test_request_that_offers_another_protocol_keeps_its_body(operator: OperatorClient, network: Network) -> None:
    network.enterprise("acme")
    operator.user_token("acme", "ada")
    body = b'{"userId": "ada", "scopes": ["settlement_network_read"], "expiresAt": "2027-01-01T00:00:00.000Z"}'
    with connected(operator.base_url) as connection:
        connection.sendall(
            b"POST /api/operator/v1/enterprises/acme/tokens HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer " + OPERATOR_TOKEN.encode() + b"\r\n"
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        made = read_answer(connection)
    assert made.status == 200, made.body
    assert made.problem["token"]["expiresAt"] == "2027-01-01T00:00:00.000Z"
