"""The HTTP client of the tests, for servers on loopback. It checks no certificates."""

from __future__ import annotations

import ssl
from typing import Any, Final

import httpx2

# To read all certificates of the system for each new client took half of the time of a whole run.
_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_client(**options: Any) -> httpx2.Client:  # noqa: ANN401 - whatever a client takes
    return httpx2.Client(verify=_NO_CERTIFICATES, trust_env=False, **options)
