"""How requests are counted, without a server and with the time in hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.errors import TooManyRequestsError
from clearwindow.http.rates import WINDOW_SECONDS, Rates, Windows, caller_address

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


@pytest.fixture
def rates(clock: FakeClock) -> Rates:
    return Rates(LIMIT, clock, max_callers=10)


def visit(rates: Rates, token: bytes, *, limited: bool = True, address: str = HERE) -> int | None:
    """Enters with a token in force; what is left."""
    entered = rates.enter(token, address)
    entered.recognise("acme", limited=limited)
    return entered.allowance.remaining if entered.allowance else None


def test_a_token_has_its_minute(rates: Rates, clock: FakeClock) -> None:
    assert [visit(rates, b"one") for _ in range(LIMIT)] == [2, 1, 0]
    clock.seconds = 12.5
    with pytest.raises(TooManyRequestsError) as refused:
        visit(rates, b"one")
    assert refused.value.retry_after_seconds == 48
    assert visit(rates, b"another") == 2
    clock.seconds = WINDOW_SECONDS
    assert visit(rates, b"one") == 2


def test_unknown_tokens_of_one_address_share_one_count_and_known_ones_pass(rates: Rates) -> None:
    visit(rates, b"known")
    for number in range(LIMIT):
        rates.enter(b"unknown %d" % number, HERE).refuse()
    with pytest.raises(TooManyRequestsError):
        rates.enter(b"one more", HERE)
    with pytest.raises(TooManyRequestsError):
        rates.enter(None, HERE)
    assert visit(rates, b"known") == 1
    assert visit(rates, b"one more", address="192.0.2.2") == 2


def test_a_token_that_is_new_but_in_force_takes_nothing_from_its_address(rates: Rates) -> None:
    assert [visit(rates, b"new %d" % number) for number in range(LIMIT * 2)] == [2] * LIMIT * 2


def test_first_requests_at_once_count_all_for_the_token(rates: Rates) -> None:
    entered = [rates.enter(b"one", HERE) for _ in range(LIMIT)]
    for each in entered:
        each.recognise("acme", limited=True)
    with pytest.raises(TooManyRequestsError):
        visit(rates, b"one")


def test_a_token_that_was_revoked_is_a_stranger_again(rates: Rates) -> None:
    visit(rates, b"operator's", limited=False)
    # The first of these still passes as a token that is known.
    for _ in range(1 + LIMIT):
        rates.enter(b"operator's", HERE).refuse()
    with pytest.raises(TooManyRequestsError):
        rates.enter(b"operator's", HERE)


def test_a_token_that_is_not_limited_is_not_counted(rates: Rates) -> None:
    assert [visit(rates, b"operator's", limited=False) for _ in range(LIMIT * 5)] == [None] * LIMIT * 5


def test_no_limit_counts_nothing(clock: FakeClock) -> None:
    rates = Rates(0, clock)
    assert [visit(rates, b"one") for _ in range(1_000)] == [None] * 1_000
    assert all(rates.enter(b"%d" % number, HERE).allowance is None for number in range(1_000))


def test_memory_is_bounded_however_many_callers_there_are(clock: FakeClock) -> None:
    windows: Windows[int] = Windows(LIMIT, max_callers=10)
    admitted = sum(
        windows.take(0, clock()) is not None for number in range(1, 1_000) if windows.take(number, clock())
    )
    assert len(windows) == 10
    assert admitted == LIMIT, "who asks all the time is not forgotten"


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 40)), max_size=60))
def test_no_minute_that_begins_with_a_request_admits_more(steps: list[tuple[int, float]]) -> None:
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
def test_what_counts_as_one_address(host: str | None, counted_as: str) -> None:
    assert caller_address(host) == counted_as
