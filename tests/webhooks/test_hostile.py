"""Hostile endpoints cost limited time and memory, and do not delay other endpoints."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from clearwindow.core.clock import SystemClock
from clearwindow.outbound.client import Outgoing
from clearwindow.runtime import Runtime
from clearwindow.webhooks.models import Answer
from clearwindow.webhooks.post import Poster, retry_after_seconds
from tests.support.networks import Network
from tests.support.receivers import Behaviour, Receiver, answering, receiving
from tests.webhooks.support import Hooks, deliver, hooks_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIB = 1024 * 1024
PATIENCE_SECONDS = 60
SILENT_SECONDS = 10


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def hooks(network: Network) -> Hooks:
    network.client("trader")
    return hooks_of(network, "trader")


def post(
    receiver: Receiver,
    behaviour: Behaviour,
    *,
    url: str | None = None,
    allow_private: bool = True,
    timeout_seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Posts to a receiver with this behaviour. Returns the answer."""
    receiver.behaviour = behaviour

    async def once() -> Answer:
        clock = SystemClock()
        poster = Poster(clock, clock, allow_private=allow_private, timeout_seconds=timeout_seconds)
        try:
            return await poster.post(url or receiver.url, {}, b"{}")
        finally:
            await poster.aclose()

    return asyncio.run(once())


def silent(_: BaseHTTPRequestHandler) -> None:
    time.sleep(SILENT_SECONDS)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 O")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"\x00\xff220 mail.example ESMTP\r\n")


def cut_off_after_the_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half of it")


def silent_after_the_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    time.sleep(SILENT_SECONDS)


def headers_without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(64):
        handler.wfile.write(b"X-More: much more\r\n" * 50_000)


def test_answer_of_a_gibibyte_is_not_read(receiver: Receiver) -> None:
    written: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1024 * MIB))
        handler.end_headers()
        written.extend(handler.wfile.write(bytes(MIB)) for _ in range(1024))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = post(receiver, endless)
    assert answer.succeeded
    # The written bytes include those in buffers.
    assert len(written) < 64
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize(
    ("behaviour", "status", "problem"),
    [
        (cut_off, None, "the connection ended before the answer was complete"),
        (garbage, None, "the answer is not HTTP (ClientResponseError)"),
        (answering(302, {"Location": "http://127.0.0.1:1/"}), 302, "it answered 302"),
        (answering(404, body=b"<html>no</html>"), 404, "it answered 404"),
        (answering(200, body=b"<html>yes</html>"), 200, None),
        (answering(204), 204, None),
        (cut_off_after_the_headers, 200, None),
        (silent_after_the_headers, 200, None),
        (headers_without_end, None, "the answer is not HTTP (ClientResponseError)"),
    ],
)
def test_every_failure_of_an_endpoint_is_an_answer(
    receiver: Receiver, behaviour: Behaviour, status: int | None, problem: str | None
) -> None:
    answer = post(receiver, behaviour)
    assert (answer.status_code, answer.problem) == (status, problem)
    assert answer.duration_milliseconds < SILENT_SECONDS * 1000


def test_silent_endpoint_times_out(receiver: Receiver) -> None:
    answer = post(receiver, silent, timeout_seconds=0.5)
    assert (answer.status_code, answer.problem) == (None, "no answer within 0.5 seconds")
    assert answer.duration_milliseconds < SILENT_SECONDS * 1000


def test_redirect_is_not_followed(receiver: Receiver) -> None:
    with receiving() as elsewhere:
        answer = post(receiver, answering(307, {"Location": elsewhere.url}))
        assert answer.problem == "it answered 307"
        assert elsewhere.received == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:1/", "its address must be an address that begins with https://"),
        ("https://127.0.0.1/", "its address is in a private range"),
        ("https://[::ffff:10.0.0.1]/", "its address is in a private range"),
        ("https://localhost/", "its address resolves to a private range"),
        ("https://127.1/", "its address must name its host"),
    ],
)
def test_private_address_is_never_connected_to(receiver: Receiver, url: str, problem: str) -> None:
    answer = post(receiver, answering(204), url=url, allow_private=False)
    assert answer.problem is not None
    assert problem in answer.problem
    assert receiver.received == []


def test_endpoint_without_tls_gets_no_message(receiver: Receiver) -> None:
    answer = post(receiver, answering(204), url=receiver.url.replace("http://", "https://"))
    assert answer.problem is not None
    assert receiver.received == []


def test_private_address_is_refused_in_the_request(hooks: Hooks, runtime: Runtime) -> None:
    object.__setattr__(runtime, "outgoing", Outgoing(allow_private=False))
    for url in ("https://10.0.0.1/", "http://trader.example/", "https://[::1]/hook"):
        refused = hooks.call("POST", body={"url": url})
        assert refused.status_code == 400
        assert refused.json()["name"] == "webhook_url_refused"


def test_hanging_endpoint_does_not_delay_others(hooks: Hooks, receiver: Receiver, runtime: Runtime) -> None:
    object.__setattr__(runtime, "calls", replace(runtime.calls, webhook_timeout_seconds=3))
    with receiving() as healthy:
        slow_id = hooks.make(receiver.url)["webhookEndpoint"]["id"]
        quick_id = hooks.make(healthy.url)["webhookEndpoint"]["id"]
        receiver.behaviour = silent
        for _ in range(5):
            hooks.test(slow_id)
            hooks.test(quick_id)
        assert deliver(runtime) == 5
        assert len(healthy.received) == 5
        assert len(receiver.received) == 1
    assert hooks.show(slow_id)["failures"] == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("120", 120.0),
        ("9" * 400, 999_999_999.0),
        (format_datetime(NOW + timedelta(hours=1), usegmt=True), 3600.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        ("Mon, 05 Jan 2026 13:00:00 -0000", 3600.0),
        ("Mon, 99 Jan 2026 13:00:00 GMT", None),
        (f"Mon, 01 Jan {'9' * 20} 13:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
