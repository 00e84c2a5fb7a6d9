"""Who signed a request with a v2x token, and from where: noted by `signed_calls`, read by the guards."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from fastapi import Request
from starlette.types import Scope

from clearwindow.access.rules import Address

_SIGNER: Final = "signer_token_sha256"


def note_signer(scope: Scope, token_sha256: bytes) -> None:
    scope.setdefault("state", {})[_SIGNER] = token_sha256


def signer_of(request: Request) -> bytes | None:
    """The hash of the token under which the request's HMAC was found right."""
    found: bytes | None = request.scope.get("state", {}).get(_SIGNER)
    return found


def address_of(request: Request) -> Address | None:
    return ip_address(request.client.host) if request.client else None
