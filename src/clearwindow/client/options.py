"""Time limits, repeats, and what the environment says."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

import httpx2

from clearwindow.client.errors import UnusableEnvironmentError

_CERTIFICATE_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The limits of every call. The defaults suit a settlement of 100 000 amounts.

    Attributes:
        connect_timeout_seconds: to reach the server, including name resolution and TLS.
        read_timeout_seconds: between two parts of an answer.
        total_timeout_seconds: for a whole call, including repeats and the waits between them. The synchronous
            client checks the time when a part of an answer arrives: it may take one ``read_timeout_seconds`` more.
        repeats: how often a failed request is sent again at most, if that is safe.
        first_wait_seconds: approximate wait before the first repeat; it doubles for each further repeat.
        longest_wait_seconds: the longest wait before a repeat. If a server asks for more, the call fails at once.
        answer_bytes: the largest allowed answer.
        verify: False, or your own context, for servers with certificates that the system does not know.
        trust_env: whether to use the environment's settings for proxies and certificates. A server on this machine
            is always called without a proxy.
    """

    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 30
    total_timeout_seconds: float = 120
    repeats: int = 4
    first_wait_seconds: float = 0.25
    longest_wait_seconds: float = 20
    answer_bytes: int = 64 * 1024 * 1024
    verify: bool | ssl.SSLContext = True
    trust_env: bool = True

    def __post_init__(self) -> None:
        for name in ("connect_timeout_seconds", "read_timeout_seconds", "total_timeout_seconds", "answer_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0: a call without a limit may never end")
        if self.repeats < 0 or self.first_wait_seconds < 0 or self.longest_wait_seconds < 0:
            raise ValueError("repeats, first_wait_seconds and longest_wait_seconds must not be negative")

    def tls(self) -> bool | ssl.SSLContext:
        """Returns what certificates are checked against."""
        return _system_context(self.trust_env) if self.verify is True else self.verify

    def may_use_proxy(self, base_url: str) -> bool:
        """Returns whether the environment's proxy is used for this server."""
        return self.trust_env and not _is_this_machine(httpx2.URL(base_url).host)


@contextmanager
def usable_environment() -> Iterator[None]:
    """Explains why the environment's proxy or certificates cannot be used.

    Raises:
        UnusableEnvironmentError: they cannot be used while the block prepares connections.
    """
    try:
        yield
    except ImportError:
        raise UnusableEnvironmentError(
            "The environment names a SOCKS proxy (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY), which needs the package "
            "socksio: install it, unset the variable, or name the server in NO_PROXY."
        ) from None
    except OSError as error:
        names = " or ".join(name for name in _CERTIFICATE_VARIABLES if os.environ.get(name))
        raise UnusableEnvironmentError(
            f"The certificates cannot be read{f' from {names}' if names else ''}: {error.strerror or error}."
        ) from None
    except (ValueError, httpx2.InvalidURL):
        # Its own text would quote the address, which may have a password.
        raise UnusableEnvironmentError(
            "The environment names a proxy that cannot be used (ALL_PROXY, HTTPS_PROXY, HTTP_PROXY or NO_PROXY): "
            "it must be an address such as http://proxy.example:3128."
        ) from None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@cache
def _system_context(trust_env: bool) -> ssl.SSLContext:  # noqa: FBT001 - a key of the cache
    # To read all certificates of the system takes longer than everything else in a new client.
    return httpx2.create_ssl_context(trust_env=trust_env)
