"""The table of special ranges: every boundary of every row, and a slow reference beside it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.outbound.addresses import is_public
from clearwindow.outbound.special_ranges import SPECIAL_RANGES, Address, SpecialRange, is_special
from tools.addresses_page import PAGE, page

NAT64: Final = "64:ff9b::/96"
LENGTHS: Final = {4: 32, 6: 128}


def bits(address: Address) -> str:
    return f"{int(address):0{LENGTHS[address.version]}b}"


def reference(address: Address) -> bool:
    """Compares the first bits of the address with those of every row, as texts."""
    written = bits(address)
    known = {
        str(one.network): written[: one.network.prefixlen]
        == bits(one.network.network_address)[: one.network.prefixlen]
        for one in SPECIAL_RANGES
        if one.network.version == address.version
    }
    if known.get(NAT64):
        return reference(IPv4Address(int(written[96:], 2)))
    return any(known.values())


def around(one: SpecialRange) -> list[Address]:
    """Returns the first and the last address of a range, and those before and after it."""
    kind = type(one.network.network_address)
    first, last = int(one.network[0]), int(one.network[-1])
    top = 2 ** LENGTHS[one.network.version]
    return [kind(number) for number in (first - 1, first, last, last + 1) if 0 <= number < top]


@pytest.mark.parametrize("one", SPECIAL_RANGES, ids=lambda one: str(one.network))
def test_every_boundary_of_a_range_is_right(one: SpecialRange) -> None:
    for address in around(one):
        assert is_special(address) == reference(address), address
        assert is_public(str(address)) != reference(address), address
    if str(one.network) != NAT64:
        assert is_special(one.network[0])
        assert is_special(one.network[-1])


near: Final = st.sampled_from([address for one in SPECIAL_RANGES for address in around(one)])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.ip_addresses() | near)
def test_table_and_reference_agree(address: Address) -> None:
    assert is_special(address) == reference(address)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.ip_addresses(v=4))
def test_nat64_address_is_judged_by_the_address_in_it(address: IPv4Address) -> None:
    inside = IPv6Address(int(ip_address("64:ff9b::")) + int(address))
    assert is_special(inside) == is_special(address)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.ip_addresses(v=6, network="2000::/3"))
def test_the_rest_of_global_unicast_is_public(address: IPv6Address) -> None:
    known = any(address in one.network for one in SPECIAL_RANGES if one.network.version == 6)
    assert is_public(str(address)) != known


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.ip_addresses(v=6).filter(lambda address: int(address) >> 125 != 1))
def test_nothing_outside_of_global_unicast_is_public_but_nat64(address: IPv6Address) -> None:
    assert is_special(address) or int(address) >> 32 == int(ip_address("64:ff9b::")) >> 32


def test_rows_are_in_order_and_stand_once() -> None:
    networks = [one.network for one in SPECIAL_RANGES]
    keys = [(network.version, int(network[0]), network.prefixlen) for network in networks]
    assert keys == sorted(set(keys))


def test_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.addresses_page"
