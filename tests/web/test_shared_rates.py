"""Several server processes count the requests of a caller together, in a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from clearwindow import bootstrap
from clearwindow.api.limits import Allowance, CallerLimits, StoreAwayError
from clearwindow.api.rate_counts import AGAIN_SECONDS, LOG_EVERY_SECONDS, Kind, OwnCounts, Refusal, SharedCounts
from clearwindow.api.rate_store import opened_store
from clearwindow.runtime import Runtime
from clearwindow.settings import Settings, SettingsError
from clearwindow.web.app import create_app
from clearwindow.web.routers import ROUTERS
from tests.support.http import loopback_client
from tests.support.operators import OperatorClient
from tests.support.server import serving
from tests.support.stores import Store, store

LIMIT = 4
PARTNERS = "/api/network/v1/enterprises/acme/partners"
LONG_MINUTE_SECONDS = 3600


@dataclass
class Seconds:
    now: float = 0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["redis", "memcached"])
def running(request: pytest.FixtureRequest) -> Iterator[Store]:
    with TemporaryDirectory(prefix="cw-") as folder:
        # Memcached runs as another user.
        Path(folder).chmod(0o777)
        with store(request.param, Path(folder)) as made:
            yield made


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def urls(
    runtime: Runtime, running: Store, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Returns the addresses of two servers with one store."""
    # The store's minute is real, and a slow machine must not see its end.
    monkeypatch.setattr("clearwindow.api.rate_counts.WINDOW_SECONDS", LONG_MINUTE_SECONDS)
    with ExitStack() as stack:

        def server() -> str:
            shared = opened_store(running.address, timeout_seconds=60)
            stack.callback(shared.close)
            limits = CallerLimits(LIMIT, clock=seconds, store=shared)
            return stack.enter_context(serving(create_app(runtime, ROUTERS, limits)))

        yield server(), server()


def ask(url: str, token: str | None) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with loopback_client(timeout=60) as http:
        return http.get(url + PARTNERS, headers=headers)


def test_two_servers_count_together(urls: tuple[str, str], operator: OperatorClient) -> None:
    operator.enterprise("acme")
    token = operator.user_token("acme")
    answers = [ask(url, token) for url in urls * 2]
    assert [answer.status_code for answer in answers] == [200] * LIMIT
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0"]
    for url in urls * 2:
        refused = ask(url, token)
        assert (refused.status_code, refused.json()["name"]) == (429, "rate_limited")
        assert 0 < int(refused.headers["Retry-After"]) <= LONG_MINUTE_SECONDS
    guesses = [ask(url, f"guess {number}").status_code for number, url in enumerate(urls * 2)]
    assert guesses == [401] * LIMIT
    assert {ask(url, "guess").status_code for url in urls} | {ask(url, None).status_code for url in urls} == {429}
    assert {ask(url, operator.user_token("acme")).status_code for url in urls} == {200}


def test_each_server_counts_alone_while_the_store_is_away(
    urls: tuple[str, str], running: Store, seconds: Seconds, operator: OperatorClient
) -> None:
    operator.enterprise("acme")
    token = operator.user_token("acme")
    assert [ask(url, token).headers["RateLimit-Remaining"] for url in urls] == ["3", "2"]
    running.stop()
    for url in urls:
        # One request before, and this is the second.
        assert [ask(url, token).headers["RateLimit-Remaining"] for _ in range(3)] == ["2", "1", "0"]
        assert ask(url, token).status_code == 429
    running.start()
    seconds.now += AGAIN_SECONDS
    other = operator.user_token("acme")
    answers = [ask(url, token) for url in urls] + [ask(url, other) for url in urls * 2]
    # The first request to each server may find that its old connection is gone, and leaves the store alone again.
    seconds.now += AGAIN_SECONDS
    shared = operator.user_token("acme")
    assert [ask(url, shared).headers["RateLimit-Remaining"] for url in urls] == ["3", "2"]
    assert {answer.status_code for answer in answers} <= {200, 429}


@dataclass
class FakeStore:
    away: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    def add(self, key: str, window_seconds: int) -> tuple[int, float]:
        self._answer()
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key], window_seconds / 2

    def read(self, key: str) -> tuple[int, float]:
        self._answer()
        return self.counts.get(key, 0), 30

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreAwayError("ConnectionError")


def shared_counts(store: FakeStore, seconds: Seconds) -> SharedCounts:
    return SharedCounts(OwnCounts(LIMIT, seconds), store, LIMIT, seconds)


def test_flood_of_a_key_without_requests_left_does_not_ask_the_store(seconds: Seconds) -> None:
    async def run() -> None:
        store = FakeStore()
        counts = shared_counts(store, seconds)
        taken = [await counts.take(Kind.ADDRESS, "here") for _ in range(LIMIT)]
        assert taken == [Allowance(LIMIT, left, 30) for left in (3, 2, 1, 0)]
        assert await counts.spent_seconds(Kind.ADDRESS, "here") == 30
        asked = store.asked
        assert {await counts.take(Kind.ADDRESS, "here") for _ in range(100)} == {Refusal(30)}
        assert await counts.spent_seconds(Kind.ADDRESS, "here") == 30
        assert store.asked == asked
        assert await counts.spent_seconds(Kind.ADDRESS, "elsewhere") is None
        seconds.now = 30
        store.counts.clear()
        assert await counts.take(Kind.ADDRESS, "here") == Allowance(LIMIT, 3, 30)

    asyncio.run(run())


def test_store_that_is_away_is_asked_seldom_and_logged_once_a_minute(seconds: Seconds) -> None:
    async def run() -> None:
        store = FakeStore(away=True)
        counts = shared_counts(store, seconds)
        for now in range(LOG_EVERY_SECONDS + 1):
            seconds.now = now
            for number in range(3):
                assert isinstance(await counts.take(Kind.TOKEN, f"{now} {number}"), Allowance)
        assert store.asked <= LOG_EVERY_SECONDS // AGAIN_SECONDS + 1
        store.away = False
        seconds.now += AGAIN_SECONDS
        await counts.take(Kind.TOKEN, "again")
        assert store.counts == {"token:again": 1}

    with capture_logs() as logged:
        asyncio.run(run())
    assert [line["event"] for line in logged] == ["rate_limit_store_away"] * 2
    assert {line["error"] for line in logged} == {"ConnectionError"}


@pytest.mark.parametrize("address", ["http://here", "memory://", "redis://here:port", "async+redis://here", "here"])
def test_address_that_is_no_store_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"must begin with|not the address of a store") as refused:
        opened_store(address)
    assert "here" not in str(refused.value)


def test_server_does_not_start_with_a_store_that_is_none(runtime: Runtime) -> None:
    settings = Settings(rate_limit_store=SecretStr("http://user:password@here"))
    with pytest.raises(SettingsError, match="CLEARWINDOW_RATE_LIMIT_STORE: must begin with redis://") as refused:
        bootstrap.build_app(runtime, settings, bootstrap.build_mover(runtime))
    assert "password" not in str(refused.value)
