"""Requests that are wrong below their JSON: bytes that lie, stop, never end or come by the wrong method."""

from __future__ import annotations

import json
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage, HTTPResponse
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conftest import OPERATOR_TOKEN
from tests.support.contract import assert_answers_contract
from tests.support.http import loopback_client
from tests.support.networks import ok
from tests.support.operators import READ, WRITE
from tests.support.refusing import Staging, nothing_written, staging
from tests.support.settling import Floor

MEGABYTE = 1024 * 1024
HUGE = 100 * MEGABYTE
BLOCK = b"x" * 65_536


class Wire:
    """Raw connections to the staging endpoint."""

    def __init__(self, desk: Staging) -> None:
        self.desk = desk
        operator = desk.floor.operator
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
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            yield connection

    def exchange(self, *parts: bytes) -> tuple[int, HTTPMessage, bytes]:
        """Status, headers and body of the first answer to these bytes."""
        with self.connected() as connection:
            for part in parts:
                connection.sendall(part)
            answer = HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.headers, answer.read()

    def abandon(self, *parts: bytes) -> None:
        """Sends these bytes and is gone."""
        with self.connected() as connection:
            for part in parts:
                connection.sendall(part)

    def request(self, method: str, path: str) -> httpx2.Response:
        return self.http.request(method, path, headers={"Authorization": self.authorization})


@pytest.fixture
def wire(floor: Floor) -> Iterator[Wire]:
    wire = Wire(staging(floor))
    with wire.http:
        yield wire


@contextmanager
def memory_limited(limit_bytes: int) -> Iterator[None]:
    """Fails where the server, which runs in this process, ever held more than this at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


def test_a_huge_body_is_refused_unread_when_its_length_is_declared(wire: Wire) -> None:
    with nothing_written(wire.desk.floor.runtime), memory_limited(8 * MEGABYTE):
        blocks = (BLOCK for _ in range(HUGE // len(BLOCK)))
        status, _, answer = wire.exchange(wire.head(f"Content-Length: {HUGE}"), *blocks)
    assert (status, b"body_too_large" in answer) == (413, True)
    wire.desk.accepts()


def test_a_huge_chunked_body_is_refused_once_it_is_over_the_limit(wire: Wire) -> None:
    limit = wire.desk.floor.runtime.limits.body_bytes
    with nothing_written(wire.desk.floor.runtime), memory_limited(limit + 16 * MEGABYTE):
        chunk = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK)
        chunks = (chunk for _ in range(HUGE // len(BLOCK)))
        status, _, answer = wire.exchange(wire.head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    assert (status, b"body_too_large" in answer) == (413, True)
    wire.desk.accepts()


def test_a_body_may_come_in_chunks_and_without_its_type(wire: Wire) -> None:
    whole = wire.body()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (whole[:1], whole[1:100], whole[100:])]
    status, _, first = wire.exchange(wire.head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    assert status == 200
    status, headers, again = wire.exchange(wire.head(f"Content-Length: {len(whole)}"), whole)
    assert (status, headers["Idempotent-Replayed"], again) == (200, "true", first)
    wire.desk.floor.assert_proven()


def test_a_length_that_lies_writes_nothing(wire: Wire) -> None:
    whole = wire.body()
    with nothing_written(wire.desk.floor.runtime):
        for length in ("-1", "x", "1e3", f"{len(whole)}, {len(whole) + 1}", "99999999999999999999999"):
            status, _, _ = wire.exchange(wire.head(f"Content-Length: {length}"), whole)
            assert status in {400, 413}, length
        assert wire.exchange(wire.head(f"Content-Length: {len(whole) - 1}"), whole)[0] == 400
        both = wire.head(f"Content-Length: {len(whole)}", "Transfer-Encoding: chunked")
        assert wire.exchange(both, whole)[0] == 400
        assert wire.exchange(wire.head())[0] == 400
        wire.abandon(wire.head(f"Content-Length: {len(whole) + 1}"), whole)
    wire.desk.accepts()


def test_a_connection_that_closes_half_way_writes_nothing(wire: Wire) -> None:
    whole = wire.body()
    with nothing_written(wire.desk.floor.runtime):
        for sent in (0, 1, len(whole) // 2, len(whole) - 1):
            wire.abandon(wire.head(f"Content-Length: {len(whole)}"), whole[:sent])
            wire.abandon(wire.head("Transfer-Encoding: chunked"), b"%x\r\n" % len(whole), whole[:sent])
    wire.desk.accepts()


def test_a_body_whose_sender_is_gone_before_the_answer_is_carried_out_once(wire: Wire) -> None:
    whole = wire.body()
    wire.abandon(wire.head(f"Content-Length: {len(whole)}"), whole)
    wire.desk.accepts()
    listed = ok(wire.desk.partner.api.get("/partners/settlements"))["settlements"]
    assert len(listed) == 1


def test_another_method_is_refused_and_told_the_right_one(wire: Wire) -> None:
    with nothing_written(wire.desk.floor.runtime):
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            response = wire.request(method, wire.path)
            assert (response.status_code, response.headers["Allow"]) == (405, "POST"), method
            assert response.json()["name"] == "method_not_allowed"
        assert wire.request("HEAD", wire.path).status_code == 405
        body = wire.body()
        head = wire.head(f"Content-Length: {len(body)}")
        assert wire.exchange(head.replace(b"POST", b"GET", 1), body)[0] == 405
    wire.desk.accepts()


def test_another_path_is_no_way_in(wire: Wire) -> None:
    with nothing_written(wire.desk.floor.runtime):
        for path in (wire.path + "/", wire.path.upper(), wire.path.replace("/v2/", "/v2//"), wire.path + "%00"):
            response = wire.request("POST", path)
            assert (response.status_code, response.json()["name"]) == (404, "no_such_path"), path
        for enterprise in ("%00", "%ff", "%ed%a0%80", "nobody", "e" * 10_000):
            path = wire.path.replace(wire.desk.partner.enterprise.id, enterprise)
            response = wire.request("POST", path)
            assert (response.status_code, response.json()["name"]) == (401, "not_a_member"), path[:100]
            assert_answers_contract("POST", path, response)
    wire.desk.accepts()


def test_a_token_of_any_bytes_is_refused(wire: Wire) -> None:
    body = wire.body()
    with nothing_written(wire.desk.floor.runtime):
        for token in (b"", b"\xff\xfe", b"x" * 50_000, b"v2x" + b"0" * 64, OPERATOR_TOKEN.encode(), b"a b"):
            head = wire.head(f"Content-Length: {len(body)}")
            altered = head.replace(wire.authorization.encode(), b"Bearer " + token)
            assert wire.exchange(altered, body)[0] == 401, token[:20]
        for scheme in (b"Basic ", b"", b"bearer"):
            altered = wire.head(f"Content-Length: {len(body)}").replace(b"Bearer ", scheme)
            assert wire.exchange(altered, body)[0] == 401, scheme
    wire.desk.accepts()
