"""The codes (HMAC-SHA256) that stand on a call made with a v2x token, and on its answer. Pure.

They are the field's own: its JavaScript SDK makes them and checks them. Version 3 covers the method, and keeps
requests and answers apart; version 2 does neither, which is why an address with the separator in it is refused.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from clearwindow.errors import NotAuthenticatedError

WINDOW_MINUTES: Final = 5
_SEPARATOR: Final = "|"
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}")


class AuthVersion(StrEnum):
    TWO = "2.0"
    THREE = "3.0"


@dataclass(frozen=True, slots=True)
class Call:
    """What of a request is signed beside its body.

    Attributes:
        method: in capitals.
        address: path and query as they were sent, escapes and all, one character for each byte.
        timestamp: milliseconds since 1970, as they were sent.
    """

    version: AuthVersion
    method: str
    address: str
    timestamp: str


def read_call(version: str | None, method: str, address: str, timestamp: str | None, now: datetime) -> Call:
    """The call, if it is one of a version that is spoken here, made within minutes of ``now``."""
    if version not in set(AuthVersion):
        raise NotAuthenticatedError(
            "auth_version_unknown", "the header BitGo-Auth-Version must be 2.0 or 3.0 on a call with an HMAC"
        )
    if timestamp is None or _MILLISECONDS.fullmatch(timestamp) is None:
        raise NotAuthenticatedError(
            "auth_timestamp_missing", "the header Auth-Timestamp must be the milliseconds since 1970"
        )
    if abs(now - _moment(timestamp)) > timedelta(minutes=WINDOW_MINUTES):
        raise NotAuthenticatedError(
            "auth_timestamp_outside_window",
            f"the call's Auth-Timestamp is more than {WINDOW_MINUTES} minutes from our time: set your clock",
            {"serverTimestamp": str(timestamp_of(now))},
        )
    if _SEPARATOR in address:
        raise NotAuthenticatedError("address_ambiguous", "the address of a signed call must have %7C for |")
    return Call(AuthVersion(version), method, address, timestamp)


def timestamp_of(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def require_request_code(secret: bytes, call: Call, body: bytes, code: str) -> None:
    if call.version is AuthVersion.THREE:
        parts = [call.method, call.timestamp, call.version, call.address]
    else:
        parts = [call.timestamp, call.address]
    if not hmac.compare_digest(_code(secret, parts, body).encode(), code.encode("latin-1")):
        raise NotAuthenticatedError(
            "hmac_invalid",
            "the HMAC is not this token's over this method, time, address and body: sign exactly what is sent",
        )


def answer_code(secret: bytes, call: Call, *, timestamp: str, status: int, body: bytes) -> str:
    parts = [timestamp, call.address, str(status)]
    return _code(secret, [call.method, *parts] if call.version is AuthVersion.THREE else parts, body)


def _code(secret: bytes, parts: list[str], body: bytes) -> str:
    prefix = "".join(part + _SEPARATOR for part in parts)
    code = hmac.new(secret, prefix.encode("latin-1"), "sha256")
    code.update(body)
    return code.hexdigest()


def _moment(timestamp: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(timestamp))
