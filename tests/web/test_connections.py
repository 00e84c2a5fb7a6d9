"""Open connections are counted in all and by address, and one that is not used gives its place away."""

from __future__ import annotations

import pytest

from clearwindow.core.errors import TooManyRequestsError, UnavailableError
from clearwindow.web.connections import Place, Places, proxy_networks

HERE = "192.0.2.1"
DROPPED: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_dropped() -> None:
    DROPPED.clear()


def enter(places: Places, host: str, name: str = "") -> Place:
    return places.enter(host, lambda: DROPPED.append(name))


def working(places: Places, host: str) -> Place:
    place = enter(places, host)
    place.work()
    return place


def test_new_connection_gets_the_place_of_the_longest_waiting_one_of_its_address() -> None:
    places = Places(in_all=10, per_address=3, proxies=())
    enter(places, "192.0.2.9", "another address")
    first = enter(places, HERE, "first")
    enter(places, HERE, "second")
    first.work()
    first.wait()
    working(places, HERE)
    enter(places, HERE, "third")
    assert DROPPED == ["second"]
    enter(places, HERE)
    assert DROPPED == ["second", "first"]


def test_address_with_requests_under_way_on_all_connections_is_refused() -> None:
    places = Places(in_all=10, per_address=2, proxies=())
    one, _ = working(places, HERE), working(places, HERE)
    with pytest.raises(TooManyRequestsError):
        enter(places, HERE)
    enter(places, "192.0.2.2")
    one.leave()
    one.leave()
    working(places, HERE)
    with pytest.raises(TooManyRequestsError):
        enter(places, HERE)
    assert DROPPED == []


def test_all_places_taken_by_requests_is_unavailable() -> None:
    places = Places(in_all=2, per_address=2, proxies=())
    working(places, HERE)
    enter(places, "192.0.2.2", "waiting")
    working(places, "192.0.2.3")
    assert DROPPED == ["waiting"]
    with pytest.raises(UnavailableError):
        enter(places, "192.0.2.4")


def test_dropped_connection_leaves_only_once() -> None:
    places = Places(in_all=1, per_address=1, proxies=())
    dropped = enter(places, HERE)
    working(places, HERE)
    dropped.leave()
    dropped.wait()
    with pytest.raises(TooManyRequestsError):
        enter(places, HERE)


def test_ipv6_counts_by_network_and_mapped_addresses_by_address() -> None:
    places = Places(in_all=10, per_address=1, proxies=())
    working(places, "2001:db8::1")
    with pytest.raises(TooManyRequestsError):
        enter(places, "2001:db8::ffff:2")
    working(places, "2001:db8:0:1::1")
    working(places, f"::ffff:{HERE}")
    with pytest.raises(TooManyRequestsError):
        enter(places, HERE)


@pytest.mark.parametrize(
    ("proxies", "host", "is_exempt"),
    [
        ("10.0.0.0/8, 192.0.2.7", "10.1.2.3", True),
        ("10.0.0.0/8, 192.0.2.7", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8, 192.0.2.7", "192.0.2.7", True),
        ("10.0.0.0/8, 192.0.2.7", "192.0.2.8", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("*", "2001:db8::1", True),
        (None, "10.1.2.3", False),
        ("10.0.0.0/8", "not an address", False),
    ],
)
def test_proxies_are_exempt_from_the_limit_of_one_address(
    proxies: str | None, host: str, *, is_exempt: bool
) -> None:
    places = Places(in_all=3, per_address=1, proxies=proxy_networks(proxies))
    working(places, host)
    if is_exempt:
        working(places, host)
        working(places, host)
        with pytest.raises(UnavailableError):
            enter(places, host)
    else:
        with pytest.raises(TooManyRequestsError):
            enter(places, host)
