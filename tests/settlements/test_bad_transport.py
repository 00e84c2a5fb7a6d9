"""Requests that are wrong at the level of HTTP: length, chunks, closed connections, method, path, token."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPMessage, HTTPResponse
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conftest import OPERATOR_TOKEN
from tests.support.contract import assert_answers_contract
from tests.support.http import loopback_client
from tests.support.memory import memory_limited
from tests.support.networks import ok
from tests.support.operators import READ, WRITE
from tests.support.refusals import Staging, nothing_written, staging
from tests.support.settlements import Testbed

MEGABYTE = 1024 * 1024
HUGE = 100 * MEGABYTE
BLOCK = b"x" * 65_536


class Wire:
    """Raw connections to the staging endpoint."""

    def __init__(self, desk: Staging) -> None:
        self.desk = desk
        operator = desk.testbed.operator
        enterprise = desk.partner.enterprise.id
        self.base_url = operator.base_url
        self.path = f"/api/network/v2/enterprises/{enterprise}/partners/settlements"
        self.http = loopback_client(base_url=self.base_url)
        self.authorization = f"Bearer {operator.user_token(enterprise, scopes=(READ, WRITE))}"

    def body(self) -> bytes:
        return json.dumps(self.desk.signed()).encode()

    def head(self, *headers: str) -> bytes:
        lines = [f"POST {self.path} HTTP/1.1", "Host: here", f"Authorization: {self.authorization}", *headers]
        return "\r\n".join([*lines, "", ""]).encode()

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        place = urlsplit(self.base_url)
        assert place.hostname
        assert place.port
        with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
            yield connection

    def exchange(self, *parts: bytes) -> tuple[int, HTTPMessage, bytes]:
        """Returns status, headers and body of the first answer to these bytes."""
        with self.connected() as connection:
            # The server takes no more of a body that it has refused.
            with suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    connection.sendall(part)
            answer = HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.headers, answer.read()

    def abandon(self, *parts: bytes) -> None:
        """Sends these bytes and closes the connection."""
        with self.connected() as connection:
            for part in parts:
                connection.sendall(part)

    def request(self, method: str, path: str) -> httpx2.Response:
        return self.http.request(method, path, headers={"Authorization": self.authorization})


@pytest.fixture
def wire(testbed: Testbed) -> Iterator[Wire]:
    wire = Wire(staging(testbed))
    with wire.http:
        yield wire


def test_huge_body_with_declared_length_is_refused_unread(wire: Wire) -> None:
    with nothing_written(wire.desk.testbed.runtime), memory_limited(8 * MEGABYTE):
        blocks = (BLOCK for _ in range(HUGE // len(BLOCK)))
        status, _, answer = wire.exchange(wire.head(f"Content-Length: {HUGE}"), *blocks)
    assert (status, b"body_too_large" in answer) == (413, True)
    wire.desk.accepts()


def test_huge_chunked_body_is_refused_once_over_the_limit(wire: Wire) -> None:
    limit = wire.desk.testbed.runtime.limits.settlement_body_bytes
    with nothing_written(wire.desk.testbed.runtime), memory_limited(limit + 16 * MEGABYTE):
        chunk = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK)
        chunks = (chunk for _ in range(HUGE // len(BLOCK)))
        status, _, answer = wire.exchange(wire.head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    assert (status, b"body_too_large" in answer) == (413, True)
    wire.desk.accepts()


def test_chunked_body_without_content_type_is_accepted(wire: Wire) -> None:
    whole = wire.body()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (whole[:1], whole[1:100], whole[100:])]
    status, _, first = wire.exchange(wire.head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    assert status == 200
    status, headers, again = wire.exchange(wire.head(f"Content-Length: {len(whole)}"), whole)
    assert (status, headers["Idempotent-Replayed"], again) == (200, "true", first)
    wire.desk.testbed.assert_proven()


def test_wrong_content_length_writes_nothing(wire: Wire) -> None:
    whole = wire.body()
    with nothing_written(wire.desk.testbed.runtime):
        for length in ("-1", "x", "1e3", f"{len(whole)}, {len(whole) + 1}", "99999999999999999999999"):
            status, _, _ = wire.exchange(wire.head(f"Content-Length: {length}"), whole)
            assert status in {400, 413}, length
        assert wire.exchange(wire.head(f"Content-Length: {len(whole) - 1}"), whole)[0] == 400
        both = wire.head(f"Content-Length: {len(whole)}", "Transfer-Encoding: chunked")
        assert wire.exchange(both, whole)[0] == 400
        assert wire.exchange(wire.head())[0] == 400
        wire.abandon(wire.head(f"Content-Length: {len(whole) + 1}"), whole)
    wire.desk.accepts()


def test_connection_closed_in_mid_body_writes_nothing(wire: Wire) -> None:
    whole = wire.body()
    with nothing_written(wire.desk.testbed.runtime):
        for sent in (0, 1, len(whole) // 2, len(whole) - 1):
            wire.abandon(wire.head(f"Content-Length: {len(whole)}"), whole[:sent])
            wire.abandon(wire.head("Transfer-Encoding: chunked"), b"%x\r\n" % len(whole), whole[:sent])
    wire.desk.accepts()


def test_request_is_executed_once_if_the_sender_leaves_before_the_answer(wire: Wire) -> None:
    whole = wire.body()
    wire.abandon(wire.head(f"Content-Length: {len(whole)}"), whole)
    wire.desk.accepts()
    listed = ok(wire.desk.partner.api.get("/partners/settlements"))["settlements"]
    assert len(listed) == 1


def test_wrong_method_is_refused_with_the_allowed_ones(wire: Wire) -> None:
    with nothing_written(wire.desk.testbed.runtime):
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            response = wire.request(method, wire.path)
            assert (response.status_code, response.headers["Allow"]) == (405, "POST"), method
            assert response.json()["name"] == "method_not_allowed"
        assert wire.request("HEAD", wire.path).status_code == 405
        body = wire.body()
        head = wire.head(f"Content-Length: {len(body)}")
        assert wire.exchange(head.replace(b"POST", b"GET", 1), body)[0] == 405
    wire.desk.accepts()


def test_other_spellings_of_the_path_are_refused(wire: Wire) -> None:
    with nothing_written(wire.desk.testbed.runtime):
        for path in (wire.path + "/", wire.path.upper(), wire.path.replace("/v2/", "/v2//"), wire.path + "%00"):
            response = wire.request("POST", path)
            assert (response.status_code, response.json()["name"]) == (404, "no_such_path"), path
        for enterprise in ("%00", "%ff", "%ed%a0%80", "nobody", "e" * 10_000):
            path = wire.path.replace(wire.desk.partner.enterprise.id, enterprise)
            response = wire.request("POST", path)
            assert (response.status_code, response.json()["name"]) == (401, "not_a_member"), path[:100]
            assert_answers_contract("POST", path, response)
    wire.desk.accepts()


def test_malformed_token_is_refused(wire: Wire) -> None:
    body = wire.body()
    with nothing_written(wire.desk.testbed.runtime):
        for token in (b"", b"\xff\xfe", b"x" * 20_000, b"v2x" + b"0" * 64, OPERATOR_TOKEN.encode(), b"a b"):
            head = wire.head(f"Content-Length: {len(body)}")
            altered = head.replace(wire.authorization.encode(), b"Bearer " + token)
            assert wire.exchange(altered, body)[0] == 401, token[:20]
        for scheme in (b"Basic ", b"", b"bearer"):
            altered = wire.head(f"Content-Length: {len(body)}").replace(b"Bearer ", scheme)
            assert wire.exchange(altered, body)[0] == 401, scheme
    wire.desk.accepts()
