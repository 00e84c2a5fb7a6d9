"""Limits of requests, bodies and pages, over real HTTP."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request

from clearwindow import bootstrap
from clearwindow.api.limits import CallerLimits
from clearwindow.core.work import CapacityTerms
from clearwindow.identity.guards import CallingMember
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from clearwindow.web.health import health_router
from clearwindow.web.routers import ROUTERS
from tests.conftest import OPERATOR_TOKEN
from tests.support.contract import assert_answers_contract
from tests.support.http import loopback_client
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.races import in_background
from tests.support.server import serving
from tests.support.settlements import Testbed
from tests.support.unavailable import becomes

LIMIT: Final = 5
AT_ONCE: Final = 3
PATIENCE_SECONDS: Final = 120
UNLIMITED: Final = CallerLimits()
PATIENT: Final = CapacityTerms(share=1, wait_seconds=PATIENCE_SECONDS)


@dataclass
class Seconds:
    now: float = 0

    def __call__(self) -> float:
        return self.now


class Busy:
    """Requests that keep a database connection until the test releases them."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.started = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._inside = 0
        self.most_inside = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            self.most_inside = max(self.most_inside, self._inside)
        self.started.release()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1


probe: Final = APIRouter(prefix="/api/probe/{enterprise_id}")


@probe.get("/busy")
def stay_busy(request: Request, member: CallingMember) -> str:
    runtime: Runtime = request.app.state.runtime
    busy: Busy = request.app.state.busy
    with runtime.transaction(), busy.inside():
        busy.let_go.wait(PATIENCE_SECONDS)
    return member.user_id


@probe.get("/free")
def answer(member: CallingMember) -> str:
    return member.user_id


@contextmanager
def limited_server(
    runtime: Runtime, limits: CallerLimits = UNLIMITED, capacity: CapacityTerms = PATIENT
) -> Iterator[tuple[FastAPI, str]]:
    app = create_app(runtime, (*ROUTERS, probe, health_router(bootstrap.WORK, 60)), limits, capacity)
    app.state.busy = Busy()
    with serving(app) as url:
        yield app, url


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def url(runtime: Runtime, seconds: Seconds) -> Iterator[str]:
    """Returns the address of a server that admits few requests a minute."""
    with limited_server(runtime, CallerLimits(requests_per_minute=LIMIT, clock=seconds)) as (_, url):
        yield url


def ask(url: str, path: str, token: str | None) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with loopback_client(timeout=PATIENCE_SECONDS) as http:
        return http.get(url + path, headers=headers)


def test_token_over_its_limit_is_told_when_to_try_again(
    url: str, operator: OperatorClient, seconds: Seconds
) -> None:
    operator.enterprise("acme")
    token = operator.user_token("acme")
    path = "/api/network/v1/enterprises/acme/partners"
    answers = [ask(url, path, token) for _ in range(LIMIT)]
    assert [answer.status_code for answer in answers] == [200] * LIMIT
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"5"}
    assert {answer.headers["RateLimit-Reset"] for answer in answers} == {"60"}

    seconds.now = 20
    refused = ask(url, path, token)
    assert (refused.status_code, refused.json()["name"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "40"
    assert "wait 40 seconds" in refused.json()["error"]
    assert_answers_contract("GET", path, refused)
    # The limit is the token's and nobody else's.
    assert ask(url, path, operator.user_token("acme")).status_code == 200
    seconds.now = 60
    assert ask(url, path, token).status_code == 200


def test_refused_requests_are_counted_and_have_the_limit_headers(url: str, operator: OperatorClient) -> None:
    operator.enterprise("acme")
    token = operator.user_token("acme")
    paths = (
        "/api/network/v1/enterprises/other/partners",
        "/api/nowhere",
        "/api/network/v1/enterprises/acme/partners?x=1",
    )
    answers = [ask(url, path, token) for path in paths]
    assert [answer.status_code for answer in answers] == [401, 404, 400]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["4", "3", "2"]


def test_new_valid_token_is_admitted_among_a_flood_of_guesses_from_its_address(
    url: str, runtime: Runtime, operator: OperatorClient
) -> None:
    """A flood never pauses while new tokens are used for the first time."""
    operator.enterprise("acme")
    path = "/api/network/v1/enterprises/acme/partners"
    tokens = [operator.user_token("acme") for _ in range(3)]
    of_operator = operator.operator_token(operator.operator("new")["id"])
    tried = [ask(url, path, f"guess {number}") for number in range(LIMIT)]
    assert {answer.status_code for answer in tried} == {401}
    stop = threading.Event()
    with in_background(lambda: flood(url, path, stop)) as flooded:
        try:
            assert [ask(url, path, token).status_code for token in tokens] == [200] * 3
            assert ask(url, "/api/operator/v1/settlements", of_operator).status_code == 200
            assert ask(url, "/healthz", None).status_code == 200
        finally:
            stop.set()
    assert flooded.result() == {429}
    refused = ask(url, path, "one more guess")
    assert (refused.status_code, refused.json()["name"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "60"
    assert "from your address" in refused.json()["error"]
    # Without a token there is nothing to look up.
    asked = runtime.database.pool_stats()["requests_num"]
    assert {ask(url, path, None).status_code for _ in range(10)} == {429}
    assert runtime.database.pool_stats()["requests_num"] == asked


def flood(url: str, path: str, stop: threading.Event) -> set[int]:
    """Sends random tokens over a few connections until it is stopped, and returns the statuses of the answers."""

    def run(number: int) -> None:
        with loopback_client(timeout=PATIENCE_SECONDS) as http:
            for guess in itertools.count():
                token = f"cwt_{number}_{guess}"
                statuses.add(http.get(url + path, headers={"Authorization": f"Bearer {token}"}).status_code)
                if stop.is_set():
                    return

    statuses: set[int] = set()
    threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_revoked_token_is_limited_like_a_guessed_one(url: str, operator: OperatorClient) -> None:
    operator.enterprise("acme")
    user = operator.user("acme")
    made = operator.token("acme", user["id"])
    path = "/api/network/v1/enterprises/acme/partners"
    assert ask(url, path, made["value"]).status_code == 200
    operator.delete(f"/tokens/{made['id']}")
    codes = [ask(url, path, made["value"]).status_code for _ in range(LIMIT + 2)]
    assert codes == [401] * (LIMIT + 1) + [429]


def test_operators_and_health_checks_are_not_limited(url: str) -> None:
    answers = [ask(url, "/api/operator/v1/settlements", OPERATOR_TOKEN) for _ in range(LIMIT * 2)]
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        answers += [ask(url, path, None) for _ in range(LIMIT + 1)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit-Limit" in answer.headers for answer in answers)


def test_many_requests_of_one_enterprise_leave_connections_for_others(
    runtime: Runtime, operator: OperatorClient
) -> None:
    operator.enterprise("acme")
    operator.enterprise("beta")
    # Two tokens: what counts is whose they are.
    tokens = [operator.user_token("acme", user) for user in ("ada", "eve")]
    other = operator.user_token("beta")
    with limited_server(runtime, capacity=replace(PATIENT, requests_at_once=AT_ONCE)) as (app, url):
        busy: Busy = app.state.busy
        for token in tokens:
            assert ask(url, "/api/probe/acme/free", token).status_code == 200
        with in_background(lambda: at_the_same_time(url, [tokens[number % 2] for number in range(30)])) as answers:
            for _ in range(AT_ONCE):
                assert busy.started.acquire(timeout=PATIENCE_SECONDS)
            assert ask(url, "/api/probe/beta/free", other).status_code == 200
            assert ask(url, "/readyz", None).status_code == 200
            assert not busy.started.acquire(timeout=0.3), "no more than its share is worked on"
            busy.let_go.set()
        assert answers.result() == [200] * 30
        assert busy.most_inside == AT_ONCE


def test_request_that_waits_too_long_for_a_place_is_429(runtime: Runtime, operator: OperatorClient) -> None:
    operator.enterprise("acme")
    token = operator.user_token("acme")
    capacity = CapacityTerms(requests_at_once=1, own_wait_seconds=0.1)
    with limited_server(runtime, CallerLimits(requests_per_minute=100), capacity) as (app, url):
        busy: Busy = app.state.busy
        assert ask(url, "/api/probe/acme/free", token).status_code == 200
        with in_background(lambda: ask(url, "/api/probe/acme/busy", token)) as answer:
            assert busy.started.acquire(timeout=PATIENCE_SECONDS)
            refused = ask(url, "/api/probe/acme/free", token)
            busy.let_go.set()
        assert answer.result().status_code == 200
        assert (refused.status_code, refused.json()["name"]) == (429, "too_many_at_once")
        assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("1", "97")
        # The answer may come a moment before its place is free.
        becomes(lambda: ask(url, "/api/probe/acme/free", token).status_code == 200, PATIENCE_SECONDS)


def at_the_same_time(url: str, tokens: list[str]) -> list[int]:
    codes = [0] * len(tokens)

    def run(number: int) -> None:
        codes[number] = ask(url, "/api/probe/acme/busy", tokens[number]).status_code

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(tokens))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_slow_body_closes_the_connection(base_url: str, testbed: Testbed, served_app: tuple[FastAPI, str]) -> None:
    partner = testbed.network.partner()
    app, _ = served_app
    app.state.runtime = replace(testbed.runtime, limits=replace(testbed.runtime.limits, body_seconds=0.3))
    token = testbed.operator.user_token(partner.enterprise.id)
    path = f"/api/network/v2/enterprises/{partner.enterprise.id}/partners/settlements"
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n{{"
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode())
        answer = HTTPResponse(connection)
        answer.begin()
        problem = json.loads(answer.read())
        assert (answer.status, problem["name"], problem["details"]) == (408, "body_too_slow", {"limitSeconds": 0.3})
        assert answer.headers["Connection"] == "close"
        assert connection.recv(1) == b"", "the server has closed it"


def test_page_has_at_most_the_limit_of_entries(
    network: Network, served_app: tuple[FastAPI, str], runtime: Runtime
) -> None:
    app, _ = served_app
    app.state.runtime = replace(runtime, limits=replace(runtime.limits, page_size=2))
    partners = [network.partner(f"exchange-{number}") for number in range(3)]
    for asked in (None, 3, 1_000_000):
        given = {} if asked is None else {"pageSize": asked}
        answer = partners[0].api.get("/partners", **given)
        assert len(ok(answer)["partners"]) == 2
        assert answer.headers["X-Total-Count"] == "3"
        assert len(ok(partners[0].api.get("/partners", pageNumber=1, **given))["partners"]) == 1
