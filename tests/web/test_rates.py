"""How requests are counted, without a server and with an injected clock."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.api.limits import WINDOW_SECONDS, Allowance, CallerLimits, Windows, caller_address
from clearwindow.api.lookups import Known, Presented
from clearwindow.api.rates import Rates
from clearwindow.core.errors import TooManyRequestsError

P = ParamSpec("P")
LIMIT = 3
HERE = "192.0.2.1"


@dataclass
class FakeClock:
    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@dataclass
class Tokens:
    """The tokens in force, and how often they were looked up."""

    known: dict[bytes, Known] = field(default_factory=dict)
    statements: list[int] = field(default_factory=list)

    def find(self, presented: Sequence[Presented]) -> list[Known | None]:
        self.statements.append(len(presented))
        return [self.known.get(each.token_sha256) for each in presented]

    def issue(self, token: bytes, *, limited: bool = True) -> bytes:
        self.known[token] = Known("acme", limited)
        return token


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def rates(clock: FakeClock, tokens: Tokens) -> Rates:
    return Rates(CallerLimits(LIMIT, clock=clock), tokens.find, max_callers=10)


async def left(rates: Rates, token: bytes | None, address: str = HERE) -> int | None:
    """Sends a request with this bearer token, and returns what is left."""
    visit = await rates.enter(Presented(token, signed=False) if token else None, address)
    return visit.allowance.remaining if visit.allowance else None


async def use_up(rates: Rates, address: str = HERE) -> None:
    for number in range(LIMIT):
        await left(rates, b"guess %d" % number, address)
    with pytest.raises(TooManyRequestsError):
        await left(rates, None, address)


def in_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@in_loop
async def test_token_has_its_own_minute(rates: Rates, tokens: Tokens, clock: FakeClock) -> None:
    one, another = tokens.issue(b"one"), tokens.issue(b"another")
    assert [await left(rates, one) for _ in range(LIMIT)] == [2, 1, 0]
    clock.seconds = 12.5
    with pytest.raises(TooManyRequestsError) as refused:
        await left(rates, one)
    assert refused.value.retry_after_seconds == 48
    assert await left(rates, another) == 2
    clock.seconds = WINDOW_SECONDS
    assert await left(rates, one) == 2


@in_loop
async def test_unknown_tokens_of_one_address_share_one_count(rates: Rates) -> None:
    await use_up(rates)
    with pytest.raises(TooManyRequestsError):
        await left(rates, b"one more")
    assert await left(rates, b"one more", "192.0.2.2") == 2


@in_loop
async def test_valid_token_is_never_refused_for_its_address(rates: Rates, tokens: Tokens) -> None:
    old = tokens.issue(b"old")
    await left(rates, old)
    await use_up(rates)
    assert await left(rates, old) == 1
    assert [await left(rates, tokens.issue(b"new %d" % number)) for number in range(LIMIT * 2)] == [2] * LIMIT * 2


@in_loop
async def test_request_without_a_token_is_refused_without_a_look_up(rates: Rates, tokens: Tokens) -> None:
    await use_up(rates)
    asked = len(tokens.statements)
    for _ in range(20):
        with pytest.raises(TooManyRequestsError):
            await left(rates, None)
    assert len(tokens.statements) == asked


@in_loop
async def test_guesses_over_the_limit_are_looked_up_together(rates: Rates, tokens: Tokens) -> None:
    await use_up(rates)
    tokens.statements.clear()
    fresh = tokens.issue(b"fresh")
    flood = [left(rates, b"flood %d" % number) for number in range(1_000)]
    *refused, admitted = await asyncio.gather(*flood, left(rates, fresh), return_exceptions=True)
    assert {type(each) for each in refused} == {TooManyRequestsError}
    assert admitted == 2
    assert sum(tokens.statements) == 1_001
    assert len(tokens.statements) == 3, "as many as fit into one statement go into one"


@in_loop
async def test_look_ups_of_other_addresses_do_not_wait_for_those_over_the_limit(tokens: Tokens) -> None:
    hold, held = threading.Event(), threading.Event()

    def find(presented: Sequence[Presented]) -> list[Known | None]:
        if any(each.token_sha256 == b"slow" for each in presented):
            held.set()
            assert hold.wait(60)
        return tokens.find(presented)

    rates = Rates(CallerLimits(LIMIT), find)
    await use_up(rates)
    slow = asyncio.create_task(left(rates, b"slow"))
    await asyncio.to_thread(held.wait, 60)
    assert await left(rates, tokens.issue(b"elsewhere"), "192.0.2.2") == 2
    hold.set()
    with pytest.raises(TooManyRequestsError):
        await slow


@in_loop
async def test_failing_look_up_fails_the_requests_that_wait_for_it(clock: FakeClock) -> None:
    def find(presented: Sequence[Presented]) -> list[Known | None]:
        raise ConnectionError(len(presented))

    rates = Rates(CallerLimits(LIMIT, clock=clock), find)
    failed = await asyncio.gather(*(left(rates, b"%d" % n) for n in range(3)), return_exceptions=True)
    assert {type(each) for each in failed} == {ConnectionError}
    assert await left(rates, None) == 2, "nothing was counted"


@in_loop
async def test_signed_call_counts_for_the_token_when_it_is_verified(rates: Rates, tokens: Tokens) -> None:
    named = Presented(tokens.issue(b"v2x"), signed=True)
    # Somebody who knows the token's hash alone uses up his own address, and nothing of the holder's.
    for _ in range(LIMIT):
        await (await rates.enter(named, HERE)).failed()
    for _ in range(LIMIT * 3):
        with pytest.raises(TooManyRequestsError) as refused:
            await (await rates.enter(named, HERE)).failed()
        assert "from your address" in refused.value.message
    visit = await rates.enter(named, "192.0.2.2")
    assert visit.narrow is None
    await visit.verified()
    for _ in range(LIMIT - 1):
        visit = await rates.enter(named, HERE)
        assert visit.owner != "acme", "before it is verified it is not the holder's"
        assert visit.narrow is not None
        await visit.verified()
        assert visit.owner == "acme"
    assert visit.allowance == Allowance(LIMIT, 0, 60)
    with pytest.raises(TooManyRequestsError) as spent:
        await rates.enter(named, HERE)
    assert "with this token" in spent.value.message


@in_loop
async def test_concurrent_first_requests_count_for_the_token(rates: Rates, tokens: Tokens) -> None:
    one = tokens.issue(b"one")
    answers = await asyncio.gather(*(left(rates, one) for _ in range(LIMIT + 1)), return_exceptions=True)
    assert sum(isinstance(each, TooManyRequestsError) for each in answers) == 1


@in_loop
async def test_token_that_is_no_longer_in_force_counts_for_its_address(rates: Rates, tokens: Tokens) -> None:
    token = tokens.issue(b"operator's", limited=False)
    visit = await rates.enter(Presented(token, signed=False), HERE)
    del tokens.known[token]
    visit.forget()
    assert [await left(rates, token) for _ in range(LIMIT)] == [2, 1, 0]
    with pytest.raises(TooManyRequestsError):
        await left(rates, token)


@in_loop
async def test_unlimited_token_is_not_counted(rates: Rates, tokens: Tokens) -> None:
    token = tokens.issue(b"operator's", limited=False)
    assert [await left(rates, token) for _ in range(LIMIT * 5)] == [None] * LIMIT * 5


@in_loop
async def test_no_limit_counts_nothing(tokens: Tokens) -> None:
    rates = Rates(CallerLimits(), tokens.find)
    one = tokens.issue(b"one")
    assert [await left(rates, one) for _ in range(1_000)] == [None] * 1_000
    assert {await left(rates, b"%d" % number) for number in range(100)} == {None}


def test_memory_is_bounded_for_any_number_of_callers(clock: FakeClock) -> None:
    windows: Windows[int] = Windows(LIMIT, max_callers=10)
    admitted = sum(
        windows.take(0, clock()) is not None for number in range(1, 1_000) if windows.take(number, clock())
    )
    assert len(windows) == 10
    assert admitted == LIMIT, "an active caller is not forgotten"


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 40)), max_size=60))
def test_no_minute_admits_more_than_the_limit(steps: list[tuple[int, float]]) -> None:
    windows: Windows[int] = Windows(LIMIT)
    now = 0.0
    admitted: dict[int, list[list[float]]] = {0: [], 1: [], 2: []}
    for key, pause in steps:
        now += pause
        if windows.take(key, now) is None:
            assert len(admitted[key][-1]) == LIMIT
            assert now < admitted[key][-1][0] + WINDOW_SECONDS
        elif admitted[key] and now < admitted[key][-1][0] + WINDOW_SECONDS:
            admitted[key][-1].append(now)
        else:
            admitted[key].append([now])
    assert all(len(minute) <= LIMIT for minutes in admitted.values() for minute in minutes)


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_address_to_count_by(host: str | None, counted_as: str) -> None:
    assert caller_address(host) == counted_as
