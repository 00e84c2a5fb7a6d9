"""Which addresses others may have us call. Pure: names are resolved elsewhere."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6 so far; what lies elsewhere leads back into somebody's own network, or nowhere."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Names, and not numbers that some resolvers take for an IPv4 address, such as 127.1 and 0x7f000001.
_NAME: Final = re.compile(r"([a-z0-9_-]{1,63}\.)*(?!([0-9]+|0x[0-9a-f]*)\.?$)[a-z0-9_-]{1,63}\.?")
_MAX_URL_CHARACTERS: Final = 2_000


class AddressRefusedError(ValueError):
    """An address that is not called; the message says why, and nothing of what it would have shown."""


def is_public(text: str) -> bool:
    """Whether the IP address is one of the open internet, whatever form it is wrapped in."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(str(inner))
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def require_callable(url: str, *, allow_private: bool, query: bool = False) -> SplitResult:
    """The parts of an address that may be called, as far as its text says; with a query only where one may be.

    Raises:
        AddressRefusedError: saying what the address must be.
    """
    if len(url) > _MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRefusedError(f"must be an address of at most {_MAX_URL_CHARACTERS} plain characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefusedError("is not an address such as https://exchange.example/api") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not host or port == 0:
        raise AddressRefusedError(f"must be an address that begins with {' or '.join(schemes)}:// and a host")
    if "@" in parts.netloc:
        raise AddressRefusedError("must not carry a user or a password")
    if "#" in url or ("?" in url and not query):
        raise AddressRefusedError("must not have a fragment" if query else "must not have a query or a fragment")
    literal = _literal(host)
    if literal is None and _NAME.fullmatch(host) is None:
        raise AddressRefusedError("must name its host, or give the whole of its IP address")
    if literal is not None and not allow_private and not is_public(literal):
        raise AddressRefusedError("is in a private range, which the settings of this network do not allow")
    return parts


def _literal(host: str) -> str | None:
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
