"""HEAD, encoded bodies, and addresses that a proxy forwards. Protocol §2."""

from __future__ import annotations

import gzip
import hashlib
from typing import Final

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from clearwindow.bootstrap import all_routers
from tests.conftest import OPERATOR_TOKEN
from tests.support.http import loopback_client
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.server import serving
from tests.support.signed_calls import SignedCaller, name_of

ENTERPRISES: Final = "/api/operator/v1/enterprises"
VARYING_HEADERS: Final = {"date", "x-request-id", "content-length"}
"""Headers that differ between two answers to the same request. The body of an error has the request's id."""
GET_PATHS: Final = sorted(
    {
        route.path
        for router in all_routers(60)
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }
    | {"/docs", "/docs/errors", "/openapi.json"}
)


def authorized(base_url: str, token: str = OPERATOR_TOKEN) -> httpx2.Client:
    return loopback_client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_answers_like_get_without_the_body(base_url: str, network: Network, path: str) -> None:
    enterprise = network.enterprise("acme")
    address = path.replace("{enterprise_id}", enterprise.id)
    token = (
        network.operator.user_token("acme", "desk@acme") if address.startswith("/api/network") else OPERATOR_TOKEN
    )
    with authorized(base_url, token) as client:
        got, head = client.get(address), client.head(address)
    assert head.status_code == got.status_code != 405
    assert head.content == b""
    assert {name: head.headers[name] for name in set(got.headers) - VARYING_HEADERS} == {
        name: got.headers[name] for name in set(got.headers) - VARYING_HEADERS
    }
    assert "content-length" in head.headers


def test_head_is_refused_where_get_is(base_url: str) -> None:
    with authorized(base_url) as client:
        refused = client.head(f"{ENTERPRISES}/acme/users")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


def test_allow_names_head_beside_get(base_url: str) -> None:
    with authorized(base_url) as client:
        refused = client.delete("/api/operator/v1/audit-log")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "GET, HEAD"


def test_signed_head_gets_the_hmac_of_an_empty_body(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    caller = SignedCaller(operator.base_url, operator.user_token("acme", "ada", kind="v2x"))
    address = "/api/network/v1/enterprises/acme/partners"
    answer = caller.send("HEAD", address)
    assert (answer.status_code, answer.content) == (200, b"")
    assert caller.is_signed(answer, address)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "x-unknown", "identity, gzip", "GZIP"])
def test_encoded_body_is_415(operator: OperatorClient, encoding: str) -> None:
    with authorized(operator.base_url) as client:
        body = gzip.compress(b'{"id": "acme", "name": "Acme"}')
        refused = client.post(ENTERPRISES, content=body, headers={"Content-Encoding": encoding})
        assert (refused.status_code, name_of(refused)) == (415, "content_encoding_unsupported")
        assert refused.headers["Accept-Encoding"] == "identity"
        filters = client.request(
            "GET", "/api/operator/v1/events", content=gzip.compress(b"{}"), headers={"Content-Encoding": encoding}
        )
        assert filters.status_code == 415
    assert operator.audit_log() == []


def test_encoded_body_without_a_valid_token_is_401(base_url: str) -> None:
    with authorized(base_url, "no-token") as client:
        refused = client.post(ENTERPRISES, content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert refused.status_code == 401


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_identity_encoding_is_accepted(operator: OperatorClient, encoding: str) -> None:
    with authorized(operator.base_url) as client:
        body = b'{"id": "acme", "name": "Acme", "licensed": true}'
        made = client.post(ENTERPRISES, content=body, headers={"Content-Encoding": encoding})
    assert made.status_code == 200, made.text


@pytest.mark.parametrize(
    "forwarded",
    [
        "unknown",
        "_hidden",
        "",
        ",",
        ",,,",
        "unknown, _hidden",
        "203.0.113.7, unknown",
        "unknown, 203.0.113.7",
        "203.0.113.7:5678",
        "[2001:db8::7]:5678",
        "[2001:db8::7",
        "2001:db8::7%eth0",
        "256.1.1.1",
        "203.0.113.7; for=x",
        '"203.0.113.7"',
        "x" * 4_000,
        ", ".join(["203.0.113.7"] * 200),
        "\u00fc".encode().decode("latin-1"),
    ],
)
def test_odd_forwarded_address_is_never_a_500(
    served_app: tuple[FastAPI, str], operator: OperatorClient, forwarded: str
) -> None:
    operator.enterprise("acme")
    anywhere = operator.user_token("acme", "ada")
    one_place = operator.user_token("acme", "ada", ipAllowList=["198.51.100.9"])
    headers = {b"X-Forwarded-For": forwarded.encode("latin-1")}
    with serving(ProxyHeadersMiddleware(served_app[0], trusted_hosts="*")) as url:  # type: ignore[arg-type]
        for token, status in ((anywhere, 200), (one_place, 401), ("no-token", 401)):
            with authorized(url, token) as client:
                answer = client.get("/api/network/v1/enterprises/acme/partners", headers=headers)
            assert answer.status_code == status, answer.text
        signed = SignedCaller(url, operator.user_token("acme", "ada", kind="v2x"))
        address = "/api/network/v1/enterprises/acme/partners"
        assert signed.send("GET", address, changed={"X-Forwarded-For": forwarded}).status_code == 200
        hashed = hashlib.sha256(b"never made").hexdigest()
        changed = {"X-Forwarded-For": forwarded, "Authorization": f"Bearer {hashed}"}
        assert signed.send("GET", address, changed=changed).status_code == 401
