"""How long to wait for what, and how often to try again."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache

import httpx2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The limits of every call. The defaults suit a settlement of 100 000 amounts.

    Attributes:
        connect_timeout_seconds: to reach the server, name resolution and TLS included.
        read_timeout_seconds: between two parts of an answer.
        total_timeout_seconds: for a call from its beginning to its end, repeats and the waits between them
            included. The synchronous client looks at the time whenever a part of an answer arrives, so that it
            may take one ``read_timeout_seconds`` more.
        repeats: how often a failed request is sent again at most, where that is safe.
        first_wait_seconds: about how long to wait before the first repeat; doubled for each further one.
        longest_wait_seconds: the most to wait before a repeat. A server that asks for more is not waited for.
        answer_bytes: an answer with more is refused.
        verify: False, or a context of your own, for servers with certificates that the system does not know.
        trust_env: whether the environment's proxy settings count.
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
        """What certificates are checked against."""
        return _system_context(self.trust_env) if self.verify is True else self.verify


@cache
def _system_context(trust_env: bool) -> ssl.SSLContext:  # noqa: FBT001 - a key of the cache
    # Reading all certificates of the system takes longer than everything else about a new client.
    return httpx2.create_ssl_context(trust_env=trust_env)
