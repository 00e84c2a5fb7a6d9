"""The checks of protocol §2 run in their order, and the first failure is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from clearwindow.core.clock import ManualClock
from clearwindow.identity.guards import CallingMember
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from tests.conftest import OPERATOR_TOKEN
from tests.support.http import loopback_client
from tests.support.operators import READ, WRITE, OperatorClient
from tests.support.server import serving

probe: Final = APIRouter(prefix="/probe/{enterprise_id}")


@probe.get("")
def read(member: CallingMember) -> dict[str, str]:
    return {"user": member.user_id}


@probe.post("")
def write(member: CallingMember) -> dict[str, str]:
    return {"user": member.user_id}


@pytest.fixture(scope="module")
def probe_server() -> Iterator[tuple[FastAPI, str]]:
    app = create_app(None, [probe])  # type: ignore[arg-type]  # set by ``network`` before the first request
    with serving(app) as url:
        yield app, url


@pytest.fixture
def network(
    probe_server: tuple[FastAPI, str], runtime: Runtime, operator: OperatorClient
) -> Iterator[httpx2.Client]:
    app, url = probe_server
    app.state.runtime = runtime
    operator.enterprise("acme")
    operator.enterprise("beta")
    with loopback_client(base_url=url) as client:
        yield client


def ask(
    network: httpx2.Client, token: str | None, *, enterprise: str = "acme", method: str = "GET", **headers: str
) -> tuple[int, str]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    response = network.request(method, f"/probe/{enterprise}", headers=headers)
    answer = response.json()
    return response.status_code, answer.get("name", answer.get("user"))


def test_token_admits_its_user(network: httpx2.Client, operator: OperatorClient) -> None:
    token = operator.user_token("acme", "ada")
    assert ask(network, token) == (200, "ada")
    assert ask(network, token, method="POST") == (200, "ada")
    assert ask(network, token, **{"enterprise-id": "acme"}) == (200, "ada")
    assert ask(network, token, **{"enterprise-id": "beta"}) == (400, "enterprise_header_differs")


def test_unknown_expired_and_revoked_tokens_get_the_same_answer(
    network: httpx2.Client, operator: OperatorClient, clock: ManualClock
) -> None:
    assert ask(network, None) == (401, "token_missing")
    assert ask(network, None, Authorization="Basic YTpi") == (401, "token_missing")
    operator.user("acme", "ada")
    revoked = operator.token("acme", "ada")
    expiring = operator.user_token("acme", "ada", expiresAt="2026-01-05T12:01:00.000Z")
    operator.delete(f"/tokens/{revoked['id']}")
    assert ask(network, expiring) == (200, "ada")
    clock.advance(minutes=1)

    answers = set()
    for token in ("unknown", "é", revoked["value"], expiring):
        response = network.get("/probe/acme", headers={b"Authorization": f"Bearer {token}".encode()})
        answers.add((response.status_code, response.json()["name"], response.json()["error"]))
    assert len(answers) == 1
    assert answers.pop()[:2] == (401, "token_invalid")


def test_token_is_refused_outside_its_networks(network: httpx2.Client, operator: OperatorClient) -> None:
    elsewhere = operator.user_token("acme", "ada", ipAllowList=["192.0.2.0/24", "2001:db8::/32"])
    assert ask(network, elsewhere) == (401, "token_address_refused")
    here = operator.user_token("acme", "ada", ipAllowList=["192.0.2.0/24", "127.0.0.1"])
    assert ask(network, here) == (200, "ada")
    mapped = operator.user_token("acme", "ada", ipAllowList=["::ffff:127.0.0.0/104"])
    assert ask(network, mapped) == (200, "ada")


def test_another_enterprise_is_answered_like_a_missing_one(
    network: httpx2.Client, operator: OperatorClient
) -> None:
    token = operator.user_token("acme", "ada")
    assert ask(network, token, enterprise="beta") == (401, "not_a_member")
    assert ask(network, token, enterprise="nobody") == (401, "not_a_member")
    # A user of both enterprises acts for the one in the token.
    operator.user("beta", "ada")
    assert ask(network, token, enterprise="beta") == (401, "not_a_member")


def test_first_failing_check_answers(network: httpx2.Client, operator: OperatorClient) -> None:
    """Each call fails every check that the next call fails, and one earlier check."""
    operator.enterprise("bare", licensed=False)
    operator.user("bare", "eve")
    far = ["192.0.2.0/24"]
    everything = operator.token("bare", "eve", scopes=[WRITE], ipAllowList=far)
    operator.delete(f"/tokens/{everything['id']}")
    assert ask(network, everything["value"], method="POST") == (401, "token_invalid")

    restricted = operator.user_token("bare", "eve", scopes=[WRITE], ipAllowList=far)
    assert ask(network, restricted, method="POST") == (401, "token_address_refused")

    unlicensed = operator.user_token("bare", "eve", scopes=[WRITE])
    wrong_header = {"enterprise-id": "beta"}
    assert ask(network, unlicensed, method="POST", **wrong_header) == (401, "not_a_member")
    assert ask(network, unlicensed, enterprise="bare", method="POST", **wrong_header) == (403, "no_licence")

    operator.patch("/enterprises/bare", {"licensed": True})
    assert ask(network, unlicensed, enterprise="bare", method="POST", **wrong_header) == (403, "scope_missing")
    full = operator.user_token("bare", "eve")
    refused = ask(network, full, enterprise="bare", method="POST", **wrong_header)
    assert refused == (400, "enterprise_header_differs")


def test_reading_needs_read_and_writing_needs_both(network: httpx2.Client, operator: OperatorClient) -> None:
    reader, writer = (operator.user_token("acme", "ada", scopes=[scope]) for scope in (READ, WRITE))
    assert ask(network, reader) == (200, "ada")
    assert ask(network, reader, method="POST") == (403, "scope_missing")
    assert ask(network, writer) == (403, "scope_missing")
    assert ask(network, writer, method="POST") == (403, "scope_missing")


def test_withdrawn_licence_counts_at_once(network: httpx2.Client, operator: OperatorClient) -> None:
    token = operator.user_token("acme", "ada")
    operator.patch("/enterprises/acme", {"licensed": False})
    assert ask(network, token) == (403, "no_licence")


def test_operators_and_members_are_kept_apart(
    network: httpx2.Client, operator: OperatorClient, base_url: str
) -> None:
    assert ask(network, OPERATOR_TOKEN) == (401, "token_invalid")
    made = operator.operator_token(operator.operator("second")["id"])
    assert ask(network, made) == (401, "not_a_member")
    with OperatorClient(base_url, operator.user_token("acme", "ada")) as member:
        refused = member.post("/enterprises", {"name": "x", "licensed": True})
    assert (refused.status_code, refused.json()["name"]) == (401, "not_an_operator")


def test_every_operator_route_is_guarded(base_url: str) -> None:
    """The guard runs before the body is read, and for paths of things that do not exist."""
    paths = httpx2.get(f"{base_url}/openapi.json", trust_env=False, timeout=60).json()["paths"]
    operator_paths = [path for path in paths if path.startswith("/api/operator/")]
    assert len(operator_paths) >= 15
    with loopback_client(base_url=base_url, timeout=60) as client:
        for path in operator_paths:
            for method in paths[path]:
                refused = client.request(method, path.replace("{", "").replace("}", ""), content=b"{")
                assert (refused.status_code, refused.json()["name"]) == (401, "token_missing"), (method, path)
