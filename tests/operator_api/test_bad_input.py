"""Invalid input gets an error that names the problem, and writes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import OPERATOR_TOKEN
from tests.support.operators import PREFIX, OperatorClient

GOOD = {"currency": "ofcbtc", "quantity": "1", "reference": "r"}
BAD_QUANTITIES: list[Any] = [
    *(
        "",
        "0",
        "-0",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1e5",
        "1.5",
        "1.0",
        "01",
        "0x1",
        "1_000",
        "\u0661",
        "NaN",
        "∞",
    ),
    *(str(10**78), "9" * 5000, None, True, 1, 10**30, 10**78, 1.5, [], {}, ["1"]),
]
BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"not json",
    b'{"currency":"ofcbtc","quantity":"1","quantity":"1","reference":"r"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":"a\\u0000b"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":" "}',
    b'{"currency":"ofcbtc","quantity":"1.0","reference":"r"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":"a\x00b"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":"\\ud800"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":"\xff"}',
    b'{"currency":"ofcbtc","quantity":NaN,"reference":"r"}',
    b'\xef\xbb\xbf{"currency":"ofcbtc","quantity":"1","reference":"r"}',
    b'{"currency":"ofcbtc","quantity":"1","reference":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"currency":"ofcbtc","quantity":' + b"9" * 10_000 + b',"reference":"r"}',
]


def _wrong_fields() -> Iterator[dict[str, Any]]:
    for quantity in BAD_QUANTITIES:
        yield GOOD | {"quantity": quantity}
    for name in GOOD:
        yield {other: value for other, value in GOOD.items() if other != name}
        wrong: list[Any] = ["", None, 7, False, [], {}, "x" * 256]
        yield from (GOOD | {name: value} for value in wrong)
    yield GOOD | {"custodianKey": True}
    yield GOOD | {"": ""}
    yield GOOD | {"Currency": "ofcbtc"}


def _require_problem(response: Any, what: object) -> None:  # noqa: ANN401 - any client's response
    problem = response.json()
    assert response.status_code == 400, (what, response.text)
    assert {"error", "name", "requestId"} <= set(problem), (what, problem)
    assert problem["requestId"] == response.headers["X-Request-Id"]
    assert len(response.content) < 10_000


@pytest.fixture
def account(operator: OperatorClient) -> str:
    operator.enterprise("acme")
    return operator.go_account("acme").id


def test_invalid_deposit_is_rejected_and_writes_nothing(operator: OperatorClient, account: str) -> None:
    before = len(operator.audit_log())
    for kind in ("deposits", "withdrawals"):
        path = f"/go-accounts/{account}/{kind}"
        for body in _wrong_fields():
            _require_problem(operator.post_raw(path, json.dumps(body).encode()), body)
        for raw in BAD_BODIES:
            _require_problem(operator.post_raw(path, raw), raw[:60])
    assert operator.entries() == operator.events() == []
    assert operator.balances(account) == {}
    assert len(operator.audit_log()) == before


def test_invalid_enterprise_is_rejected_and_writes_nothing(operator: OperatorClient) -> None:
    good = {"id": "acme", "name": "Acme", "licensed": True}
    bad: list[dict[str, Any]] = [
        *(good | {"id": text} for text in ("", ".", "..", "a/b", "a b", "a?b", "a%00", "é", "x" * 256, 7)),
        *(good | {"name": text} for text in ("", "x" * 256, None, 7)),
        *(good | {"licensed": value} for value in ("true", 1, None)),
        *(good | {"trustOrg": value} for value in ("Another Trust", "", None)),
        {"name": "Acme"},
        good | {"unknown": 1},
    ]
    for body in bad:
        _require_problem(operator.post("/enterprises", body), body)
    assert operator.audit_log() == []


def test_invalid_filters_are_rejected(operator: OperatorClient) -> None:
    for path, query in [
        ("/audit-log", {"pageSize": "0"}),
        ("/audit-log", {"pageNumber": "-1"}),
        ("/audit-log", {"pageNumber": "1e3"}),
        ("/audit-log", {"unknown": "x"}),
        ("/audit-log", {"subjectId": "a\0b"}),
        ("/ledger/entries", {"causeId": "x"}),
        ("/ledger/entries", {"accountId": "1"}),
        ("/events", {"types": "balance.changed,unknown"}),
    ]:
        _require_problem(operator.get(path, **query), query)
    _require_problem(operator.patch("/enterprises/a%00b", {"name": "x"}), "NUL in the address")


def test_body_over_the_limit_is_rejected_before_it_is_read(operator: OperatorClient, base_url: str) -> None:
    """The request announces 100 MB and sends none of them."""
    address = urlsplit(base_url)
    head = (
        f"POST {PREFIX}/enterprises HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPERATOR_TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
    )
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = b""
        # The head may come before the rest. The server closes the connection of a body that it does not read.
        while part := connection.recv(65536):
            answer += part
    assert b" 413 " in answer.splitlines()[0]
    assert b'{"limitBytes": 262144}' in answer
    assert operator.audit_log() == []


def test_chunked_body_over_the_limit_is_rejected(operator: OperatorClient, base_url: str) -> None:
    """The request announces no length. The server stops reading at the limit."""
    address = urlsplit(base_url)
    head = (
        f"POST {PREFIX}/enterprises HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPERATOR_TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(100):
                connection.sendall(chunk)
        except ConnectionError:
            pass
        answer = connection.recv(65536)
    assert b" 413 " in answer.splitlines()[0]
    assert operator.audit_log() == []
