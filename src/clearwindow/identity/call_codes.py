"""The codes (HMAC-SHA256) of a call that a v2x token signs, and of its answer. Pure.

BitGo's JavaScript SDK makes and checks the same codes. Version 3 covers the method and separates requests from
answers. Version 2 does neither, so an address that contains the separator is refused, and so is a DELETE.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from clearwindow.core.errors import NotAuthenticatedError

WINDOW_MINUTES: Final = 5
_SEPARATOR: Final = "|"
_METHODS_OF_VERSION_2: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH"})
"""At one address, what one of these methods takes as its body changes nothing with another. A DELETE has no body,
so that the HMAC of a GET would serve for it."""
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}")


class AuthVersion(StrEnum):
    TWO = "2.0"
    THREE = "3.0"


@dataclass(frozen=True, slots=True)
class Call:
    """The parts of a request that are signed beside its body.

    Attributes:
        version: of the code.
        method: in capitals.
        address: path and query as they were sent, with their escapes, one character for each byte.
        timestamp: milliseconds since 1970, as they were sent.
    """

    version: AuthVersion
    method: str
    address: str
    timestamp: str


def read_version(version: str | None, method: str, *, takes_version_2: bool) -> AuthVersion:
    """Returns the version of the call's HMAC.

    Raises:
        NotAuthenticatedError: it is unknown, or it is version 2 and not taken here or not for this method.
    """
    if version not in set(AuthVersion):
        raise NotAuthenticatedError(
            "auth_version_unknown", "the header BitGo-Auth-Version must be 2.0 or 3.0 on a call with an HMAC"
        )
    if version == AuthVersion.TWO and not takes_version_2:
        raise NotAuthenticatedError("auth_version_too_old", "version 2 is turned off here: sign with version 3")
    if version == AuthVersion.TWO and method not in _METHODS_OF_VERSION_2:
        raise NotAuthenticatedError(
            "auth_version_too_old",
            f"an HMAC of version 2 does not cover the method, and is not taken for {method}: sign with version 3",
        )
    return AuthVersion(version)


def read_call(version: AuthVersion, method: str, address: str, timestamp: str | None, now: datetime) -> Call:
    """Returns the call.

    Raises:
        NotAuthenticatedError: an address with ``|``, or a time more than 5 minutes off.
    """
    if timestamp is None or _MILLISECONDS.fullmatch(timestamp) is None:
        raise NotAuthenticatedError(
            "auth_timestamp_missing", "the header Auth-Timestamp must be the milliseconds since 1970"
        )
    if abs(now - _moment(timestamp)) > timedelta(minutes=WINDOW_MINUTES):
        raise NotAuthenticatedError(
            "auth_timestamp_outside_window",
            f"the call's Auth-Timestamp is more than {WINDOW_MINUTES} minutes away from our time: set your clock",
            {"serverTimestamp": str(timestamp_of(now))},
        )
    if _SEPARATOR in address:
        raise NotAuthenticatedError("address_ambiguous", "the address of a signed call has a |: send %7C instead")
    return Call(version, method, address, timestamp)


def timestamp_of(moment: datetime) -> int:
    """Returns milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def require_request_code(secret: bytes, call: Call, body: bytes, code: str) -> None:
    """Checks the code of a request.

    Raises:
        NotAuthenticatedError: it is not correct.
    """
    if call.version is AuthVersion.THREE:
        parts = [call.method, call.timestamp, call.version, call.address]
    else:
        parts = [call.timestamp, call.address]
    if not hmac.compare_digest(_code(secret, parts, body).encode(), code.encode("latin-1")):
        raise NotAuthenticatedError(
            "hmac_invalid",
            "the HMAC is not correct for this token, method, time, address and body: sign exactly what is sent",
        )


def answer_code(secret: bytes, call: Call, *, timestamp: str, status: int, body: bytes) -> str:
    """Returns the code of an answer."""
    parts = [timestamp, call.address, str(status)]
    return _code(secret, [call.method, *parts] if call.version is AuthVersion.THREE else parts, body)


def _code(secret: bytes, parts: list[str], body: bytes) -> str:
    prefix = "".join(part + _SEPARATOR for part in parts)
    code = hmac.new(secret, prefix.encode("latin-1"), "sha256")
    code.update(body)
    return code.hexdigest()


def _moment(timestamp: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(timestamp))
