"""Only settlements may have large bodies, and only callers who may send them. Protocol §2."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import APIRoute

from clearwindow.api.body_limits import limits_of_body
from clearwindow.bootstrap import all_routers
from clearwindow.runtime import Limits
from tests.support.http import loopback_client
from tests.support.memory import memory_limited
from tests.support.networks import Network
from tests.support.operators import READ, WRITE, OperatorClient

KIBIBYTE: Final = 1024
LARGE: Final = {
    "POST /api/network/v1/enterprises/{enterprise_id}/partners/settlements",
    "POST /api/network/v1/enterprises/{enterprise_id}/partners/settlements/nonReconciled",
    "POST /api/network/v2/enterprises/{enterprise_id}/partners/settlements",
    "POST /api/network/v2/enterprises/{enterprise_id}/partners/settlements/preview",
    "GET /api/network/v1/enterprises/{enterprise_id}/partners/settlements-signing",
    "POST /api/network/v1/enterprises/{enterprise_id}/partners/settlements-signing",
    "POST /api/network/v1/enterprises/{enterprise_id}/partners/settlements/onchain",
    "POST /api/network/v1/enterprises/{enterprise_id}/partners/settlements/onchain/deposits",
    "GET /api/network/v1/enterprises/{enterprise_id}/partners/settlements/onchain/deposits/signing",
    "POST /api/v2/ofc/wallet/{wallet_id}/tx/sign",
}


def test_only_settlements_may_have_large_bodies() -> None:
    limits = Limits()
    sizes = {
        f"{method} {route.path}": limits_of_body(method, route.path, limits).size
        for router in all_routers(60)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert set(sizes.values()) == {256 * KIBIBYTE, 32 * KIBIBYTE * KIBIBYTE}
    assert {operation for operation, size in sizes.items() if size > 256 * KIBIBYTE} == LARGE


@pytest.fixture
def acme(operator: OperatorClient) -> OperatorClient:
    operator.enterprise("acme")
    return operator


def first_line(base_url: str, head: str) -> bytes:
    """Sends the head of a request and nothing of its body. Returns the answer's first line."""
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port or 80), timeout=60) as connection:
        connection.sendall(head.encode())
        return connection.recv(65_536).splitlines()[0]


@pytest.mark.parametrize(
    ("path", "token", "length", "status"),
    [
        ("v2/enterprises/acme/partners/settlements", "none", 31_000_000, 401),
        ("v2/enterprises/acme/partners/settlements", "unknown", 31_000_000, 401),
        ("v2/enterprises/another/partners/settlements", "write", 31_000_000, 401),
        ("v2/enterprises/acme/partners/settlements", "read", 31_000_000, 403),
        ("v2/enterprises/acme/partners/settlements", "write", 33_554_433, 413),
        ("v1/enterprises/acme/webhook-endpoints", "write", 262_145, 413),
    ],
)
def test_large_body_is_refused_unread(
    acme: OperatorClient, base_url: str, path: str, token: str, length: int, status: int
) -> None:
    tokens = {
        "none": "",
        "unknown": "Authorization: Bearer cwt_nobody\r\n",
        "read": f"Authorization: Bearer {acme.user_token('acme', scopes=(READ,))}\r\n",
        "write": f"Authorization: Bearer {acme.user_token('acme', scopes=(READ, WRITE))}\r\n",
    }
    head = f"POST /api/network/{path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n{tokens[token]}\r\n"
    assert first_line(base_url, head).split()[1] == str(status).encode()


def test_filters_have_the_small_limit(acme: OperatorClient, base_url: str) -> None:
    reader = {"Authorization": f"Bearer {acme.user_token('acme', scopes=(READ,))}"}
    address = "/api/network/v1/enterprises/acme/partners/settlements"

    def sent(content: bytes) -> httpx2.Response:
        with loopback_client(base_url=base_url, timeout=60) as client:
            return client.request("GET", address, content=content, headers=reader)

    lists = b'{"settlementIds":[' + b"[]," * 80_000 + b"[]]}"
    assert (sent(lists).status_code, sent(lists).json()["name"]) == (400, "too_many_entries")
    large = sent(lists + b" " * 262_144)
    assert (large.status_code, large.json()["name"]) == (413, "body_too_large")
    assert large.json()["details"] == {"limitBytes": 262_144}
    assert "262144 bytes" in large.json()["error"]


def test_four_bodies_of_empty_lists_at_once_cost_little_memory(acme: OperatorClient, base_url: str) -> None:
    """The server holds what was sent. Objects made of it would need ten times as much."""
    size = 4_000_000
    lists = b'{"settlementAmounts":[' + b"[]," * (size // 3) + b"[]]}"
    writer = {"Authorization": f"Bearer {acme.user_token('acme', scopes=(READ, WRITE))}"}

    def refusal(_: int) -> str:
        with loopback_client(base_url=base_url, timeout=240) as client:
            answer = client.post(
                "/api/network/v2/enterprises/acme/partners/settlements", content=lists, headers=writer
            )
            assert client.get("/healthz").status_code == 200
        return str(answer.json()["name"])

    with ThreadPoolExecutor(4) as pool, memory_limited(4 * 5 * size):
        assert list(pool.map(refusal, range(4))) == ["too_many_entries"] * 4


def test_payload_has_a_limit_of_its_own(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 100}), network.partner())
    path = f"{connection.path}/allocations"

    def refusal(payload: str) -> tuple[int, str, object]:
        body = connection.allocation_fields("ofcbtc", 5) | {"payload": payload, "signature": "0" * 130}
        answer = connection.client.api.post_raw(path, json.dumps(body, ensure_ascii=False).encode())
        return answer.status_code, answer.json()["name"], answer.json().get("details")

    assert refusal("é" * 32_769) == (413, "payload_too_large", {"limitBytes": 65_536})
    assert refusal("é" * 32_768)[:2] != (413, "payload_too_large")
    many = "[" + "[]," * 10_001 + "[]]"
    assert refusal(many) == (400, "too_many_entries", {"limitEntries": 10_000})
