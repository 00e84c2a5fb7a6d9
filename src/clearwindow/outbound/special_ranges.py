"""The address ranges that are not the open internet, as our own table: the same on every version of Python.

The rows are those of the two IANA registries of special-purpose addresses, and the ranges that other registries and
RFCs reserve. Nobody's endpoint is in any of them, so none is called, also where the registry says that a range is
reachable from everywhere: those are services of the internet itself. docs/reference/addresses.md shows the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Reachable(StrEnum):
    """Whether the registry says that a range is reachable from everywhere."""

    YES = "yes"
    NO = "no"
    UNSAID = "not said"


@dataclass(frozen=True, slots=True)
class SpecialRange:
    network: Network
    name: str
    source: str
    reachable: Reachable


def _range(network: str, name: str, source: str, reachable: Reachable = Reachable.NO) -> SpecialRange:
    return SpecialRange(ip_network(network), name, source, reachable)


_YES: Final = Reachable.YES
_UNSAID: Final = Reachable.UNSAID

SPECIAL_RANGES: Final = (
    _range("0.0.0.0/8", "this network", "RFC 791"),
    _range("0.0.0.0/32", "this host on this network", "RFC 1122"),
    _range("10.0.0.0/8", "private use", "RFC 1918"),
    _range("100.64.0.0/10", "shared address space of providers", "RFC 6598"),
    _range("127.0.0.0/8", "loopback", "RFC 1122"),
    _range("168.63.129.16/32", "services of Azure for its own virtual machines", "Microsoft", _UNSAID),
    _range("169.254.0.0/16", "link-local, with the metadata services of clouds", "RFC 3927"),
    _range("172.16.0.0/12", "private use", "RFC 1918"),
    _range("192.0.0.0/24", "IETF protocol assignments", "RFC 6890"),
    _range("192.0.0.0/29", "IPv4 service continuity (DS-Lite)", "RFC 7335"),
    _range("192.0.0.8/32", "IPv4 dummy address", "RFC 7600"),
    _range("192.0.0.9/32", "Port Control Protocol anycast", "RFC 7723", _YES),
    _range("192.0.0.10/32", "TURN anycast", "RFC 8155", _YES),
    _range("192.0.0.170/32", "NAT64 and DNS64 discovery", "RFC 7050"),
    _range("192.0.0.171/32", "NAT64 and DNS64 discovery", "RFC 7050"),
    _range("192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"),
    _range("192.31.196.0/24", "AS112", "RFC 7535", _YES),
    _range("192.52.193.0/24", "AMT", "RFC 7450", _YES),
    _range("192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526", _UNSAID),
    _range("192.88.99.2/32", "6a44 relay anycast", "RFC 6751"),
    _range("192.168.0.0/16", "private use", "RFC 1918"),
    _range("192.175.48.0/24", "AS112, direct delegation", "RFC 7534", _YES),
    _range("198.18.0.0/15", "benchmarking", "RFC 2544"),
    _range("198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"),
    _range("203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"),
    _range("224.0.0.0/4", "multicast", "RFC 5771", _UNSAID),
    _range("233.252.0.0/24", "documentation (MCAST-TEST-NET)", "RFC 6676", _UNSAID),
    _range("240.0.0.0/4", "reserved", "RFC 1112"),
    _range("255.255.255.255/32", "limited broadcast", "RFC 919"),
    _range("::/3", "reserved by the IETF; no address is assigned in it to anybody", "RFC 4291", _UNSAID),
    _range("::/96", "IPv4-compatible, deprecated", "RFC 4291", _UNSAID),
    _range("::/128", "unspecified address", "RFC 4291"),
    _range("::1/128", "loopback", "RFC 4291"),
    _range("::ffff:0:0/96", "IPv4-mapped", "RFC 4291"),
    _range("::ffff:0:0:0/96", "IPv4-translated", "RFC 2765", _UNSAID),
    _range("64:ff9b::/96", "NAT64, well-known prefix: judged by the IPv4 address in it", "RFC 6052", _YES),
    _range("64:ff9b:1::/48", "NAT64, local use", "RFC 8215"),
    _range("100::/64", "discard-only", "RFC 6666"),
    _range("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
    _range("200::/7", "OSI NSAP mapping, deprecated", "RFC 4048", _UNSAID),
    _range("2001::/23", "IETF protocol assignments", "RFC 2928"),
    _range("2001::/32", "Teredo", "RFC 4380", _UNSAID),
    _range("2001:1::1/128", "Port Control Protocol anycast", "RFC 7723", _YES),
    _range("2001:1::2/128", "TURN anycast", "RFC 8155", _YES),
    _range("2001:1::3/128", "DNS-SD service registration anycast", "RFC 9665", _YES),
    _range("2001:2::/48", "benchmarking", "RFC 5180"),
    _range("2001:3::/32", "AMT", "RFC 7450", _YES),
    _range("2001:4:112::/48", "AS112", "RFC 7535", _YES),
    _range("2001:5::/32", "LISP endpoint identifiers, ended", "RFC 7954", _UNSAID),
    _range("2001:10::/28", "ORCHID, deprecated", "RFC 4843"),
    _range("2001:20::/28", "ORCHID version 2", "RFC 7343", _YES),
    _range("2001:30::/28", "remote identifiers of drones", "RFC 9374", _YES),
    _range("2001:db8::/32", "documentation", "RFC 3849"),
    _range("2002::/16", "6to4", "RFC 3056", _UNSAID),
    _range("2620:4f:8000::/48", "AS112, direct delegation", "RFC 7534", _YES),
    _range("3ffe::/16", "6bone, returned", "RFC 3701", _UNSAID),
    _range("3fff::/20", "documentation", "RFC 9637"),
    _range("4000::/2", "reserved by the IETF; no address is assigned in it to anybody", "RFC 4291", _UNSAID),
    _range("5f00::/16", "SRv6 segment identifiers", "RFC 9602"),
    _range("8000::/1", "reserved by the IETF; no address is assigned in it to anybody", "RFC 4291", _UNSAID),
    _range("fc00::/7", "unique local", "RFC 4193"),
    _range("fe80::/10", "link-local", "RFC 4291"),
    _range("fec0::/10", "site-local, deprecated", "RFC 3879", _UNSAID),
    _range("ff00::/8", "multicast", "RFC 4291", _UNSAID),
)
"""All ranges, by family and address. A range inside another one says what it is; it changes nothing."""

_WELL_KNOWN_NAT64: Final = IPv6Network("64:ff9b::/96")


def _widest(version: int) -> tuple[tuple[int, int], ...]:
    """Returns the first and last address of each range that is in no other one."""
    known = [
        (int(one.network[0]), int(one.network[-1])) for one in SPECIAL_RANGES if one.network.version == version
    ]
    return tuple(
        (first, last)
        for first, last in known
        if not any((low, high) != (first, last) and low <= first and last <= high for low, high in known)
    )


_REFUSED: Final = {4: _widest(4), 6: _widest(6)}


def is_special(address: Address) -> bool:
    """Returns whether an address is in the table.

    An address of the well-known NAT64 prefix is special if the IPv4 address inside it is: a network that has only
    IPv6 sees the whole open internet of IPv4 there.
    """
    if isinstance(address, IPv6Address) and address in _WELL_KNOWN_NAT64:
        return is_special(IPv4Address(int(address) & 0xFFFFFFFF))
    number = int(address)
    return any(first <= number <= last for first, last in _REFUSED[address.version])
