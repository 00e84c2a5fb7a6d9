"""Verifies deliveries of Standard Webhooks 1.0: ``v1`` (HMAC-SHA256) and ``v1a`` (Ed25519).

Pure: it takes the headers and the body of a request, and returns an event or raises an error. Pass the original
bytes of the body: a body that was parsed and written again has other bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearwindow.client.calls import parse_body
from clearwindow.client.errors import ClearwindowError

TOLERANCE_SECONDS: Final = 300
MAX_SIGNATURES: Final = 20
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins
PUBLIC_KEY_PREFIX: Final = "whpk_"
_MAX_TIMESTAMP_DIGITS: Final = 12
_MIN_SECRET_BYTES: Final = 16


class WebhookVerificationError(ClearwindowError):
    """A delivery is not genuine: answer 400 and do nothing. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A genuine delivery.

    An event may be delivered more than once: remember the ids, and act on each only once.

    Attributes:
        id: the same for every delivery of this event.
        sent_at: when this delivery was signed.
        type: such as ``settlement.initiated``; empty if the body has no type.
        data: the body's ``data``; empty if the body has none.
        payload: the whole body.
    """

    id: str
    sent_at: datetime
    type: str
    data: Mapping[str, Any]
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Secret:
    secret: bytes = field(repr=False)
    version: str = "v1"

    def accepts(self, signature: bytes, content: bytes) -> bool:
        return hmac.compare_digest(signature, hmac.digest(self.secret, content, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: Ed25519PublicKey
    version: str = "v1a"

    def accepts(self, signature: bytes, content: bytes) -> bool:
        try:
            self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


_Key: TypeAlias = _Secret | _PublicKey


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    keys: str | Sequence[str],
    *,
    now: datetime | None = None,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> WebhookEvent:
    """Verifies one delivery.

    Args:
        headers: of the request; names in any case.
        body: the body of the request, byte for byte.
        keys: the endpoint's ``whsec_…`` secret or ``whpk_…`` public key; several during a change of keys.
        now: the current time; the system's clock if omitted.
        tolerance_seconds: how far the time of signing may be from ``now``.

    Raises:
        WebhookVerificationError: the delivery is not genuine, too old, from the future, or not JSON.
        ValueError: a key is invalid. The message does not quote it.
        TypeError: the body is not bytes.
    """
    if not isinstance(body, bytes):
        raise TypeError("the body must be the original bytes of the request")
    known = [_parse_key(text) for text in ([keys] if isinstance(keys, str) else keys)]
    if not known:
        raise ValueError("there is no key to verify with")
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, header = (_required(lower, name) for name in ("id", "timestamp", "signature"))
    sent_at = _sent_at(timestamp, now or datetime.now(UTC), tolerance_seconds)
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    if not _is_signed(header, content, known):
        raise WebhookVerificationError("no signature of the delivery was made with a key of this endpoint")
    return _event(message_id, sent_at, body)


def _is_signed(header: str, content: bytes, keys: Sequence[_Key]) -> bool:
    entries = header.split()
    if len(entries) > MAX_SIGNATURES:
        raise WebhookVerificationError(f"the delivery has more than {MAX_SIGNATURES} signatures")
    found = False
    for entry in entries:
        version, _, text = entry.partition(",")
        signature = _decode(text)
        if signature is None:
            continue
        for key in keys:
            # Try all keys, so that the time does not reveal which one matched.
            found |= key.version == version and key.accepts(signature, content)
    return found


def _sent_at(timestamp: str, now: datetime, tolerance_seconds: float) -> datetime:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        raise WebhookVerificationError("webhook-timestamp is not a number of seconds")
    try:
        sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise WebhookVerificationError("webhook-timestamp is not a valid time") from None
    off_seconds = (now - sent_at).total_seconds()
    if off_seconds > tolerance_seconds:
        raise WebhookVerificationError(f"the delivery is {off_seconds:.0f} seconds old")
    if off_seconds < -tolerance_seconds:
        raise WebhookVerificationError(f"the delivery is {-off_seconds:.0f} seconds in the future")
    return sent_at


def _event(message_id: str, sent_at: datetime, body: bytes) -> WebhookEvent:
    try:
        payload = parse_body(body)
    except ValueError:
        raise WebhookVerificationError("the delivery's body is not JSON") from None
    if not isinstance(payload, dict):
        raise WebhookVerificationError("the delivery's body is not a JSON object")
    kind, data = payload.get("type"), payload.get("data")
    return WebhookEvent(
        id=message_id,
        sent_at=sent_at,
        type=kind if isinstance(kind, str) else "",
        data=data if isinstance(data, dict) else {},
        payload=payload,
    )


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(f"webhook-{name}", "")
    if not value:
        raise WebhookVerificationError(f"the delivery has no webhook-{name}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WebhookVerificationError(f"webhook-{name} is not text") from None
    return value


def _parse_key(text: str) -> _Key:
    if text.startswith(SECRET_PREFIX):
        secret = _decode(text.removeprefix(SECRET_PREFIX))
        if secret is None or len(secret) < _MIN_SECRET_BYTES:
            raise ValueError(f"a secret must be {SECRET_PREFIX} and base64 of at least {_MIN_SECRET_BYTES} bytes")
        return _Secret(secret)
    if text.startswith(PUBLIC_KEY_PREFIX):
        raw = _decode(text.removeprefix(PUBLIC_KEY_PREFIX))
        try:
            return _PublicKey(Ed25519PublicKey.from_public_bytes(raw or b""))
        except ValueError:
            raise ValueError(f"a public key must be {PUBLIC_KEY_PREFIX} and base64 of 32 bytes") from None
    raise ValueError(f"a key must start with {SECRET_PREFIX} or {PUBLIC_KEY_PREFIX}")


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
