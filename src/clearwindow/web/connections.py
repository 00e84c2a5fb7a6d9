"""How many connections are open, in all and from one address."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from clearwindow.api.limits import caller_address
from clearwindow.core.errors import TooManyRequestsError, UnavailableError

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

_RETRY_SECONDS: Final = 1
_EVERYTHING: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def proxy_networks(trusted_proxies: str | None) -> Networks:
    """Returns the networks that the setting of this name means."""
    if trusted_proxies is None:
        return ()
    if trusted_proxies.strip() == "*":
        return _EVERYTHING
    return tuple(ip_network(entry.strip()) for entry in trusted_proxies.split(","))


@dataclass(slots=True, eq=False)
class Place:
    """The place of one open connection. It waits for a request, or works on one.

    Attributes:
        address: what the connection counts for; None for a proxy.
        drop: closes the connection, if its place is given to another one.
    """

    _places: Places
    address: str | None
    drop: Callable[[], object]

    def wait(self) -> None:
        """Notes that no request is under way, so that the connection may be dropped."""
        self._places.note_waiting(self)

    def work(self) -> None:
        """Notes that a request is under way."""
        self._places.note_working(self)

    def leave(self) -> None:
        """Gives the place back. The second time nothing happens."""
        self._places.leave(self)


class Places:
    """Counts open connections. Proxies carry the requests of many, and have no limit of their own.

    When all places are taken, a new connection gets the place of the one that has waited longest without a request
    under way. So whoever holds connections open without using them keeps nobody out.
    """

    def __init__(self, in_all: int, per_address: int, proxies: Networks) -> None:
        self._in_all = in_all
        self._per_address = per_address
        self._proxies = proxies
        self._taken: set[Place] = set()
        self._waiting: OrderedDict[Place, None] = OrderedDict()
        self._by_address: Counter[str] = Counter()

    def enter(self, host: str, drop: Callable[[], object]) -> Place:
        """Returns a place for a connection from this address. The place waits.

        Raises:
            TooManyRequestsError: the address has used its limit, with requests under way.
            UnavailableError: all places are taken, by connections with requests under way.
        """
        address = None if self._is_proxy(host) else caller_address(host)
        if address is not None and self._by_address[address] >= self._per_address:
            self._drop_one_of(address)
        if len(self._taken) >= self._in_all:
            self._drop_one()
        place = Place(self, address, drop)
        self._taken.add(place)
        self._waiting[place] = None
        if address is not None:
            self._by_address[address] += 1
        return place

    def note_waiting(self, place: Place) -> None:
        if place in self._taken:
            self._waiting[place] = None

    def note_working(self, place: Place) -> None:
        self._waiting.pop(place, None)

    def leave(self, place: Place) -> None:
        if place not in self._taken:
            return
        self._taken.remove(place)
        self._waiting.pop(place, None)
        if place.address is not None:
            self._by_address[place.address] -= 1
            if self._by_address[place.address] == 0:
                del self._by_address[place.address]

    def _drop_one_of(self, address: str) -> None:
        longest = next((place for place in self._waiting if place.address == address), None)
        if longest is None:
            raise TooManyRequestsError(
                "too_many_connections_open",
                f"{self._per_address} connections from your address have requests under way: wait for answers",
                {"limitConnections": self._per_address},
                retry_after_seconds=_RETRY_SECONDS,
            )
        self._drop(longest)

    def _drop_one(self) -> None:
        longest = next(iter(self._waiting), None)
        if longest is None:
            raise UnavailableError(
                "no_connection_free", "all connections of the server have requests under way: try again later"
            )
        self._drop(longest)

    def _drop(self, place: Place) -> None:
        self.leave(place)
        place.drop()

    def _is_proxy(self, host: str) -> bool:
        if not self._proxies:
            return False
        try:
            # The scope of a link-local address says nothing of its network.
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._proxies)
