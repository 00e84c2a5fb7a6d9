"""Which addresses may be called. This module resolves no names."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from clearwindow.outbound.special_ranges import is_special

# Host names, but not numbers that some resolvers read as an IPv4 address, such as 127.1 and 0x7f000001.
_NAME: Final = re.compile(r"([a-z0-9_-]{1,63}\.)*(?!([0-9]+|0x[0-9a-f]*)\.?$)[a-z0-9_-]{1,63}\.?")
_MAX_URL_CHARACTERS: Final = 2_000


class AddressRefusedError(ValueError):
    """An address that must not be called. The message says why, without any data of the target."""


def is_public(text: str) -> bool:
    """Returns whether an IP address is of the open internet: no range of ``special_ranges`` has it."""
    return not is_special(ip_address(text.partition("%")[0]))


def require_callable(url: str, *, allow_private: bool, query: bool = False) -> SplitResult:
    """Returns the parts of an address whose text is acceptable. ``query``: it may have a query.

    Raises:
        AddressRefusedError: the text is not acceptable; the message says what it must be.
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
